// Four elements of a query row, seen from the origin (row 0 of the bank) and negated, become part of a column; `index` is
// k · columns + column. Columns past the last query repeat it.
fn turn_query(index: u32) {
  if (index >= params.columns * params.vectors) { return; }
  let width = params.columns;
  let column = index % width;
  let query = min(column, params.queries - 1u);
  let k = index / width;
  let from_origin = widen(origin[k]) - rows[query * params.vectors + k];
  let start = k * 4u * width + column;
  columns[start] = from_origin.x;
  columns[start + width] = from_origin.y;
  columns[start + 2u * width] = from_origin.z;
  columns[start + 3u * width] = from_origin.w;
}
