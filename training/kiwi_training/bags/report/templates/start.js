/* Draw all, and again when the page's width or colours change. */
(function () {
  let pending = null;
  const again = () => { cancelAnimationFrame(pending); pending = requestAnimationFrame(redraw); };
  new ResizeObserver(again).observe(document.querySelector('main'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
  redraw();
  setTime(data.first, 'jump');
})();
