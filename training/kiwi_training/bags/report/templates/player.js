/* The film: one frame per control tick, all cameras in one video, each drawn into a canvas of its own. */
const player = { playing: false };
(function () {
  const film = document.getElementById('film'), button = document.getElementById('play');
  const scrub = document.getElementById('scrub'), speed = document.getElementById('speed');
  const screens = [...document.querySelectorAll('[data-camera]')].map((canvas, at) => ({ canvas, pen: canvas.getContext('2d'), place: data.film.views[at], age: canvas.parentElement.querySelector('[data-age]') }));
  let wanted = 0, shown = -1, clock = null;

  function frameOf(tick) { return data.film ? Math.min(Math.floor(tick / data.film.stride), data.film.frames - 1) : 0; }
  function draw(frame) {
    shown = frame;
    for (const { canvas, pen, place, age } of screens) {
      pen.drawImage(film, place.x, 0, place.width, place.height, 0, 0, canvas.width, canvas.height);
      const seconds = data.film.ages[place.camera][frame];
      age.textContent = seconds === null ? 'no picture yet' : `${Math.round(1e3 * seconds)} ms old`;
      age.classList.toggle('old', seconds === null || seconds > 0.15);
    }
    document.body.dataset.frame = frame;
  }
  function seek(frame) {
    wanted = frame;
    if (film.readyState >= 1 && !film.seeking && frame !== shown) film.currentTime = (frame + 0.5) / data.film.rate;
  }
  if (film) {
    const bytes = Uint8Array.from(atob(document.getElementById('film-data').textContent.trim()), (sign) => sign.charCodeAt(0));
    film.src = URL.createObjectURL(new Blob([bytes], { type: 'video/mp4' }));
    film.addEventListener('seeked', () => {
      if (player.playing) return;
      draw(Math.min(Math.floor(film.currentTime * data.film.rate), data.film.frames - 1));
      if (wanted !== shown) seek(wanted);
    });
    film.addEventListener('loadeddata', () => { shown = -1; seek(frameOf(view.tick)); });
    film.addEventListener('error', () => { document.body.classList.add('no-film'); });
  }
  view.onCursor.push((source) => {
    scrub.value = view.tick;
    if (film && source !== 'film') {
      if (player.playing) film.currentTime = (frameOf(view.tick) + 0.5) / data.film.rate;
      else seek(frameOf(view.tick));
    }
    if (source !== 'clock') clock = null;
    say();
  });

  function onFrame(now, about) {
    if (!player.playing) return;
    const frame = Math.min(Math.round(about.mediaTime * data.film.rate), data.film.frames - 1);
    draw(frame);
    setTick(frame * data.film.stride, 'film');
    film.requestVideoFrameCallback(onFrame);
  }
  function onClock(now) {
    if (!player.playing) return;
    if (clock === null) clock = { now, t: view.t };
    const t = clock.t + (now - clock.now) / 1e3 * Number(speed.value);
    setTime(t, 'clock');
    if (t >= whole.to) { pause(); return; }
    requestAnimationFrame(onClock);
  }
  const byFrames = film && 'requestVideoFrameCallback' in film;
  function play() {
    if (view.tick >= data.t.length - 1) setTick(0, 'jump');
    player.playing = true;
    button.textContent = 'Pause';
    if (byFrames) { film.playbackRate = Number(speed.value); film.currentTime = (frameOf(view.tick) + 0.5) / data.film.rate; film.requestVideoFrameCallback(onFrame); film.play().catch(pause); }
    else { clock = null; requestAnimationFrame(onClock); }
  }
  function pause() {
    player.playing = false;
    button.textContent = 'Play';
    if (film) { film.pause(); seek(frameOf(view.tick)); }
  }
  function toggle() { if (player.playing) pause(); else play(); }
  if (film) film.addEventListener('ended', pause);
  button.addEventListener('click', toggle);
  speed.addEventListener('change', () => { if (film) film.playbackRate = Number(speed.value); clock = null; });
  scrub.max = data.t.length - 1;
  scrub.addEventListener('input', () => { if (player.playing) pause(); setTick(Number(scrub.value), 'scrub'); });

  function say() {
    const tick = view.tick, plan = data.plans[data.chunk[tick]], put = (id, text) => { document.getElementById(id).textContent = text; };
    const inside = (spans) => spans.filter(([, from, until]) => from <= view.t + 1e-9 && view.t <= until + 1e-9).map(([name]) => name).pop() || '–';
    put('now', `${view.t.toFixed(2)} s`);
    put('now-tick', `tick ${tick}`);
    put('now-state', inside(data.states));
    put('now-source', inside(data.sources));
    put('now-chunk', plan ? `chunk ${plan.id}, row ${data.row[tick]} of ${plan.rows[0].length}${data.blended[tick] > 1 ? `, ${data.blended[tick]} blended` : ''}` : 'no chunk');
    const last = data.events.filter((event) => event.t <= view.t + 1e-9).pop();
    put('now-event', last ? `${last.t.toFixed(2)} s: ${last.text}` : '');
  }
  function step(by) { if (player.playing) pause(); setTick(view.tick + by, 'jump'); }
  function nextEvent(by) {
    const times = data.events.map((event) => event.t).filter((t) => by > 0 ? t > view.t + 1e-6 : t < view.t - data.period);
    if (times.length) { if (player.playing) pause(); setTime(by > 0 ? times[0] : times[times.length - 1], 'jump'); }
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|TEXTAREA|SUMMARY)$/.test(event.target.tagName)) return;
    const far = event.shiftKey ? 10 : 1;
    const act = { ' ': toggle, k: toggle, ArrowLeft: () => step(-far), ArrowRight: () => step(far), ',': () => nextEvent(-1), '.': () => nextEvent(1), Escape: () => setWindow(whole.from, whole.to) }[event.key];
    if (act && !(event.key === ' ' && event.target.tagName === 'BUTTON')) { event.preventDefault(); act(); }
  });
  document.getElementById('before').addEventListener('click', () => nextEvent(-1));
  document.getElementById('after').addEventListener('click', () => nextEvent(1));
  for (const link of document.querySelectorAll('[data-jump]')) link.addEventListener('click', () => {
    if (player.playing) pause();
    const t = Number(link.dataset.jump);
    if (t < view.from || t > view.to) setWindow(whole.from, whole.to);
    setTime(t, 'jump');
  });
  document.getElementById('whole').addEventListener('click', () => setWindow(whole.from, whole.to));
})();
