/* Sort the table by a column; numbers by value, unknown ones last. */
for (const button of document.querySelectorAll('#rollouts thead button')) button.addEventListener('click', () => {
  const heading = button.parentElement, column = heading.cellIndex, body = document.querySelector('#rollouts tbody');
  const up = heading.getAttribute('aria-sort') !== 'ascending';
  for (const other of heading.parentElement.cells) if (other.hasAttribute('aria-sort')) other.setAttribute('aria-sort', 'none');
  heading.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  const key = (row) => row.cells[column].dataset.key;
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === '' || y === '') return (x === '') - (y === '');
    const difference = isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
    return up ? difference : -difference;
  };
  body.append(...[...body.rows].sort(compare));
});
