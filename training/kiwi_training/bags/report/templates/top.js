/* The scene from above: the robot's forward is up, its left is left. */
(function () {
  const box = document.getElementById('top-view');
  if (!box || !data.scene) return;
  const scene = data.scene, area = layers(box, 260), reach = scene.robot ? 0.125 : 0.05;
  const xs = [], ys = [];
  for (const pose of scene.base) xs.push(pose[0] - reach, pose[0] + reach), ys.push(pose[1] - reach, pose[1] + reach);
  for (const place of [...scene.cube, scene.post, scene.target]) if (place) xs.push(place[0] - 0.06, place[0] + 0.06), ys.push(place[1] - 0.06, place[1] + 0.06);
  const low = [Math.min(...xs), Math.min(...ys)], high = [Math.max(...xs), Math.max(...ys)];
  let scale = 1, left = 0, base = 0;
  const at = (x, y) => [left + (high[1] - y) * scale, base - (x - low[0]) * scale];
  function indexAt(t) {
    let found = 0;
    while (found < scene.t.length - 1 && scene.t[found + 1] <= t) found++;
    return found;
  }
  function path(pen, places, count, shade, width) {
    pen.strokeStyle = shade;
    pen.lineWidth = width;
    pen.beginPath();
    for (let i = 0; i < count; i++) pen.lineTo(...at(places[i][0], places[i][1]));
    pen.stroke();
  }
  function disc(pen, place, radius, fill, edge) {
    pen.beginPath(); pen.arc(...at(place[0], place[1]), Math.max(radius * scale, 2), 0, 7);
    if (fill) { pen.fillStyle = fill; pen.fill(); }
    if (edge) { pen.strokeStyle = edge; pen.lineWidth = 1; pen.stroke(); }
  }
  function label(pen, place, text, dx) {
    const [x, y] = at(place[0], place[1]);
    pen.textAlign = dx < 0 ? 'right' : 'left';
    pen.fillText(text, x + dx, y);
  }
  view.onWindow.push(() => {
    const pen = area.fit(Math.min(Math.max(box.clientWidth * 0.62, 200), 300));
    pen.clearRect(0, 0, area.width, area.height);
    scale = Math.min((area.width - 8) / (high[1] - low[1]), (area.height - 8) / (high[0] - low[0]));
    left = (area.width - (high[1] - low[1]) * scale) / 2;
    base = (area.height + (high[0] - low[0]) * scale) / 2;
    pen.font = FONT;
    pen.textBaseline = 'middle';
    if (scene.target) disc(pen, scene.target, scene.target_radius, faded('rule', 0.7), colour('quiet'));
    if (scene.post) disc(pen, scene.post, scene.post_radius, colour('bad'), null);
    path(pen, scene.base, scene.base.length, faded('quiet', 0.5), 1);
    if (scene.cube.length) path(pen, scene.cube, scene.cube.length, faded('left', 0.5), 1);
    pen.fillStyle = colour('quiet');
    if (scene.target) label(pen, scene.target, 'disc', scene.target_radius * scale + 5);
    if (scene.post) label(pen, scene.post, 'post', -scene.post_radius * scale - 5);
    pen.fillRect(6, area.height - 8, 0.1 * scale, 1.5);
    pen.textAlign = 'left';
    pen.fillText('10 cm', 6, area.height - 16);
  });
  view.onCursor.push(() => {
    const pen = area.overlay(), now = indexAt(view.t), pose = scene.base[now];
    path(pen, scene.base, now + 1, colour('quiet'), 2);
    disc(pen, pose, reach, faded('quiet', 0.14), colour('quiet'));
    pen.strokeStyle = colour('ink');
    pen.lineWidth = 2;
    pen.beginPath(); pen.moveTo(...at(pose[0], pose[1])); pen.lineTo(...at(pose[0] + reach * Math.cos(pose[2]), pose[1] + reach * Math.sin(pose[2]))); pen.stroke();
    if (!scene.cube.length) return;
    path(pen, scene.cube, now + 1, colour('left'), 2);
    const [x, y] = at(scene.cube[now][0], scene.cube[now][1]), side = 0.03 * scale;
    pen.fillStyle = colour('left');
    pen.fillRect(x - side / 2, y - side / 2, side, side);
  });
})();
