/* Joint and base plots: command, measured, the plan of every chunk, seams. */
const TALL = 118, TOP = 8, FOOT = 18;
const planLimits = data.names.map((name, dim) => {
  const values = data.command[dim].concat(data.measured[dim]).filter((value) => value !== null);
  let low = Math.min(...values), high = Math.max(...values);
  const least = { 'm/s': 0.02, 'deg/s': 4, deg: 4, percent: 5 }[data.units[dim]] || 1;
  const room = Math.max((high - low) * 0.4, least);
  let below = low, above = high;
  for (const plan of data.plans) for (const value of plan.rows[dim]) { below = Math.min(below, value); above = Math.max(above, value); }
  low = Math.max(below, low - room); high = Math.min(above, high + room);
  const pad = Math.max((high - low) * 0.06, least * 0.25);
  return [low - pad, high + pad];
});

function line(pen, area, y, xs, ys, from, to) {
  pen.beginPath();
  let down = false;
  for (let i = from; i <= to; i++) {
    if (ys[i] === null) { down = false; continue; }
    if (down) pen.lineTo(area.x(xs(i)), y(ys[i])); else pen.moveTo(area.x(xs(i)), y(ys[i]));
    down = true;
  }
  pen.stroke();
}
function marks(pen, area, top, bottom) {
  for (const event of data.events) {
    const shade = event.lane === 'operator' ? 'cvae' : event.level === 'bad' ? 'bad' : null;
    if (!shade || event.until < view.from || event.t > view.to) continue;
    if (event.until > event.t) {
      pen.fillStyle = faded(shade, 0.13);
      pen.fillRect(area.x(event.t), top, area.x(event.until) - area.x(event.t), bottom - top);
    }
    pen.fillStyle = faded(shade, 0.8);
    pen.fillRect(area.x(event.t) - 0.5, top, 1, bottom - top);
  }
}
function timeAxis(pen, area, top, bottom, labelled) {
  const ticks = steps(view.from, view.to, (area.width - view.margin) / 70);
  pen.font = FONT;
  pen.textBaseline = 'top';
  for (const value of ticks.values) {
    const x = area.x(value);
    pen.fillStyle = faded('rule', 0.8);
    pen.fillRect(x, top, 1, bottom - top);
    if (!labelled) continue;
    pen.fillStyle = colour('quiet');
    const text = value.toFixed(ticks.digits) + (value === ticks.values[ticks.values.length - 1] ? ' s' : '');
    pen.textAlign = x > area.width - 24 ? 'right' : 'center';
    pen.fillText(text, Math.min(x, area.width - 1), bottom + 4);
  }
}
function plot(dim, parent) {
  const figure = document.createElement('figure');
  figure.className = 'plot';
  const head = document.createElement('figcaption'), name = document.createElement('b'), values = document.createElement('span');
  name.textContent = data.labels[dim];
  head.append(name, values);
  figure.append(head);
  parent.append(figure);
  const area = layers(figure, TALL), unit = data.units[dim] === 'percent' ? '%' : data.units[dim];
  area.box.setAttribute('role', 'img');
  area.box.setAttribute('aria-label', `${data.labels[dim]} over time: command, measured and planned, in ${unit}`);
  const [low, high] = planLimits[dim], bottom = TALL - FOOT;
  const y = (value) => bottom - (value - low) / (high - low) * (bottom - TOP);
  const digits = high - low < 2 ? 3 : high - low < 20 ? 2 : 1;
  const say = (value) => value === null || value === undefined ? '–' : value.toFixed(digits);
  const trace = (pen, plan) => line(pen, area, y, (i) => plan.t + i * plan.period, plan.rows[dim], 0, plan.rows[dim].length - 1);
  const clip = (pen) => { pen.beginPath(); pen.rect(view.margin, TOP - 4, area.width - view.margin - view.right + 1, bottom - TOP + 5); pen.clip(); };

  view.onWindow.push(() => {
    const pen = area.fit();
    pen.clearRect(0, 0, area.width, area.height);
    timeAxis(pen, area, TOP, bottom, true);
    const grid = steps(low, high, 5);
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    for (const value of grid.values) {
      pen.fillStyle = faded('rule', 0.8);
      pen.fillRect(view.margin, y(value), area.width - view.margin - view.right, 1);
      pen.fillStyle = colour('quiet');
      pen.fillText((Math.abs(value) < 1e-9 ? 0 : value).toFixed(grid.digits), view.margin - 6, y(value));
    }
    pen.textAlign = 'left';
    pen.fillText(unit, 0, TOP + 4);
    pen.save();
    clip(pen);
    marks(pen, area, TOP, bottom);
    const first = Math.max(tickAt(view.from) - 1, 0), last = Math.min(tickAt(view.to) + 1, data.t.length - 1);
    pen.lineJoin = 'round';
    if (document.getElementById('show-plans').checked) {
      for (const plan of data.plans) {
        pen.lineWidth = 0.7;
        pen.strokeStyle = plan.used ? faded('quiet', 0.42) : faded('bad', 0.55);
        pen.setLineDash(plan.used ? [] : [3, 2]);
        trace(pen, plan);
      }
      pen.setLineDash([]);
    }
    pen.lineWidth = 1.6;
    pen.strokeStyle = colour('right');
    line(pen, area, y, (i) => data.t[i], data.measured[dim], first, last);
    pen.strokeStyle = colour('left');
    line(pen, area, y, (i) => data.t[i], data.command[dim], first, last);
    pen.fillStyle = colour('flow');
    for (const tick of data.takeovers) {
      const x = area.x(data.t[tick]);
      pen.beginPath(); pen.moveTo(x - 3, TOP - 3); pen.lineTo(x + 3, TOP - 3); pen.lineTo(x, TOP + 3); pen.fill();
    }
    pen.restore();
  });
  view.onCursor.push(() => {
    const pen = area.overlay(), tick = view.tick, plan = data.plans[data.chunk[tick]];
    pen.save();
    clip(pen);
    if (plan) {
      pen.lineWidth = 2.2;
      pen.strokeStyle = faded('flow', 0.9);
      trace(pen, plan);
    }
    pen.restore();
    cursorLine(pen, area, TOP - 4, bottom);
    for (const [series, shade] of [[data.measured, 'right'], [data.command, 'left']]) {
      const value = series[dim][tick];
      if (value === null || data.t[tick] < view.from || data.t[tick] > view.to) continue;
      pen.fillStyle = colour(shade);
      pen.beginPath(); pen.arc(area.x(data.t[tick]), y(value), 3, 0, 7); pen.fill();
    }
    const planned = plan && data.row[tick] >= 0 ? plan.rows[dim][data.row[tick]] : null;
    values.replaceChildren(...[['command', 'left', data.command[dim][tick]], ['measured', 'right', data.measured[dim][tick]], ['planned', 'flow', planned]].map(([word, shade, value]) => {
      const part = document.createElement('i');
      part.className = word;
      part.style.color = `var(--${shade})`;
      part.textContent = `${word} ${say(value)}`;
      return part;
    }), unit);
  });
  steer(area);
}
for (const box of document.querySelectorAll('[data-plots]')) for (const dim of box.dataset.plots.split(' ')) plot(Number(dim), box);
document.getElementById('show-plans').addEventListener('change', redraw);
