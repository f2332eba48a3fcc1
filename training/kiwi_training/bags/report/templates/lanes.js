/* Strips over time: what was executed, which chunk ran, the executor's state, and everything that happened. */
const ROW = 24, SOURCES = {
  IDLE: 'rule', HOLD: 'diffusion', RAMP: 'other', CHUNK: 'flow', POSE: 'another', OPERATOR: 'cvae',
};
const STATES = {
  IDLE: 'rule', WAITING: 'bc', RAMPING: 'other', RUNNING: 'flow', STARVED: 'bad', STOPPED: 'diffusion', FAULT: 'bad',
  MOVING: 'another', LIMP: 'rule', TAKEOVER: 'cvae',
};
const LEVELS = { good: 'flow', note: 'left', warn: 'diffusion', bad: 'bad' };
const lanes = [
  { name: 'executed', bars: data.sources.map(([name, from, until]) => ({ name, from, until, shade: SOURCES[name] || 'bc' })) },
  { name: 'chunk', bars: data.reigns.map(([name, from, until], at) => ({ name, from, until, shade: at % 2 ? 'left' : 'other', soft: true })) },
  { name: 'state', bars: data.states.map(([name, from, until]) => ({ name, from, until, shade: STATES[name] || 'bc' })) },
];
for (const name of ['task', 'chunks', 'executor', 'timing', 'operator', 'health']) {
  const found = data.events.filter((event) => event.lane === name);
  if (found.length) lanes.push({ name: name === 'chunks' ? 'rejected' : name, events: found });
}
if (data.clamped.length) lanes.push({ name: 'clamped', bars: data.clamped.map(([from, until]) => ({ name: '', from, until, shade: 'diffusion' })) });

(function () {
  const area = layers(document.getElementById('lanes'), lanes.length * ROW + FOOT);
  const tip = document.getElementById('tip');
  area.box.setAttribute('role', 'img');
  area.box.setAttribute('aria-label', 'What was executed, which chunk ran, states and events over time; listed below');
  view.onWindow.push(() => {
    const pen = area.fit(), bottom = lanes.length * ROW;
    pen.clearRect(0, 0, area.width, area.height);
    timeAxis(pen, area, 0, bottom, true);
    pen.font = FONT;
    lanes.forEach((lane, index) => {
      const top = index * ROW, middle = top + ROW / 2;
      pen.fillStyle = colour('quiet');
      pen.textAlign = 'left';
      pen.textBaseline = 'middle';
      pen.fillText(lane.name, 0, middle);
      pen.fillStyle = faded('rule', 0.8);
      pen.fillRect(view.margin, top + ROW - 1, area.width - view.margin - view.right, 1);
      pen.save();
      pen.beginPath(); pen.rect(view.margin, top, area.width - view.margin - view.right + 4, ROW); pen.clip();
      for (const bar of lane.bars || []) {
        const x = area.x(bar.from), wide = Math.max(area.x(bar.until) - x, 1.5);
        pen.fillStyle = faded(bar.shade, bar.soft ? 0.32 : 0.75);
        pen.fillRect(x, top + 4, Math.max(wide - 0.5, 1), ROW - 9);
        const shown = Math.min(x + wide, area.width - view.right) - Math.max(x, view.margin);
        if (bar.name && pen.measureText(bar.name).width + 8 < shown) {
          pen.fillStyle = bar.soft ? colour('ink') : colour('paper');
          if (bar.shade === 'rule') pen.fillStyle = colour('quiet');
          pen.textAlign = 'left';
          pen.fillText(bar.name, Math.max(x, view.margin) + 4, middle);
        }
      }
      for (const event of lane.events || []) {
        const x = area.x(event.t), until = area.x(event.until);
        pen.fillStyle = faded(LEVELS[event.level], 0.3);
        if (until > x) pen.fillRect(x, top + 7, until - x, ROW - 15);
        pen.fillStyle = colour(LEVELS[event.level]);
        pen.beginPath();
        if (event.level === 'bad' || event.level === 'warn') { pen.moveTo(x, middle - 6); pen.lineTo(x + 6, middle + 5); pen.lineTo(x - 6, middle + 5); }
        else pen.arc(x, middle, 4, 0, 7);
        pen.fill();
      }
      pen.restore();
    });
  });
  view.onCursor.push(() => cursorLine(area.overlay(), area, 0, lanes.length * ROW));
  area.box.addEventListener('pointermove', (event) => {
    const place = area.box.getBoundingClientRect(), x = event.clientX - place.left, y = event.clientY - place.top;
    const lane = lanes[Math.floor(y / ROW)];
    let text = '';
    if (lane && lane.events) {
      const near = lane.events.filter((each) => Math.abs(area.x(each.t) - x) < 8 || (area.x(each.t) <= x && x <= area.x(each.until)));
      text = near.map((each) => `${each.t.toFixed(2)} s: ${each.text}`).join('\n');
    } else if (lane) {
      const bar = lane.bars.find((each) => each.from <= area.t(x) && area.t(x) < each.until);
      if (bar && bar.name) text = `${lane.name} ${bar.name}, ${bar.from.toFixed(2)} to ${bar.until.toFixed(2)} s`;
    }
    tip.textContent = text;
    tip.hidden = !text;
    tip.style.left = Math.min(x + 12, area.width - Math.min(tip.offsetWidth, area.width)) + 'px';
    tip.style.top = y + 18 + 'px';
  });
  area.box.addEventListener('pointerleave', () => { tip.hidden = true; });
  area.box.append(tip);
  steer(area);
})();
