/* The shared cursor and time window: whatever moves them moves everything on the page. */
const data = JSON.parse(document.getElementById('recording').textContent);
const view = {
  t: data.t[0], tick: 0, from: data.t[0], to: Math.max(data.end, data.t[0] + data.period),
  margin: 62, right: 10, onCursor: [], onWindow: [],
};
const whole = { from: view.from, to: view.to };

function tickAt(t) {
  let low = 0, high = data.t.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (data.t[middle] <= t + 1e-6) low = middle; else high = middle - 1;
  }
  return low;
}
function setTime(t, source) {
  view.t = Math.min(Math.max(t, whole.from), whole.to);
  view.tick = tickAt(view.t);
  for (const listener of view.onCursor) listener(source);
}
function setTick(tick, source) { setTime(data.t[Math.min(Math.max(tick, 0), data.t.length - 1)], source); }
function setWindow(from, to) {
  if (to - from < 5 * data.period) return;
  view.from = Math.max(from, whole.from);
  view.to = Math.min(to, whole.to);
  document.body.classList.toggle('zoomed', view.from > whole.from || view.to < whole.to);
  redraw();
}
function redraw() { for (const listener of view.onWindow) listener(); for (const listener of view.onCursor) listener('redraw'); }

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim(); }
function faded(name, alpha) {
  const hex = colour(name);
  return `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(',')},${alpha})`;
}
const FONT = '11px ' + getComputedStyle(document.body).fontFamily;

/* A canvas with a second one above it for what follows the cursor. */
function layers(parent, height) {
  const box = document.createElement('div');
  box.className = 'canvas';
  const below = document.createElement('canvas'), above = document.createElement('canvas');
  box.append(below, above);
  parent.append(box);
  const area = { box, below, above, width: 0, height };
  area.fit = (tall) => {
    area.height = tall || height;
    area.width = Math.max(box.clientWidth, 120);
    const scale = window.devicePixelRatio || 1;
    for (const canvas of [below, above]) {
      canvas.width = Math.round(area.width * scale);
      canvas.height = Math.round(area.height * scale);
      canvas.style.height = area.height + 'px';
      canvas.getContext('2d').setTransform(scale, 0, 0, scale, 0, 0);
    }
    return below.getContext('2d');
  };
  area.overlay = () => {
    const pen = above.getContext('2d');
    pen.clearRect(0, 0, area.width, area.height);
    return pen;
  };
  area.x = (t) => view.margin + (t - view.from) / (view.to - view.from) * (area.width - view.margin - view.right);
  area.t = (x) => view.from + (x - view.margin) / (area.width - view.margin - view.right) * (view.to - view.from);
  return area;
}
function steps(low, high, most) {
  const raw = (high - low) / Math.max(most, 1), power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n++) found.push(n * step);
  return { values: found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}
function cursorLine(pen, area, top, bottom) {
  const x = area.x(view.t);
  if (view.t < view.from - 1e-9 || view.t > view.to + 1e-9) return;
  pen.strokeStyle = colour('ink');
  pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, bottom); pen.stroke();
}

/* Hovering moves the cursor, a click jumps even while playing, a drag with the mouse zooms, a double click shows all. */
function steer(area) {
  let from = null, dragged = false;
  const at = (event) => event.clientX - area.box.getBoundingClientRect().left;
  area.box.addEventListener('pointermove', (event) => {
    const x = at(event);
    if (from !== null && event.pointerType === 'mouse' && Math.abs(x - from) > 6) dragged = true;
    if (!player.playing || from !== null) setTime(area.t(x), 'plot');
    if (dragged) {
      const pen = area.above.getContext('2d');
      pen.fillStyle = faded('left', 0.18);
      pen.fillRect(Math.min(from, x), 0, Math.abs(x - from), area.height);
    }
  });
  area.box.addEventListener('pointerdown', (event) => { from = at(event); dragged = false; area.box.setPointerCapture(event.pointerId); });
  area.box.addEventListener('pointerup', (event) => {
    const x = at(event), start = from;
    from = null;
    if (dragged) setWindow(area.t(Math.min(start, x)), area.t(Math.max(start, x)));
    else setTime(area.t(x), 'jump');
    dragged = false;
  });
  area.box.addEventListener('pointercancel', () => { from = null; dragged = false; });
  area.box.addEventListener('dblclick', () => setWindow(whole.from, whole.to));
}
