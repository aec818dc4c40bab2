/** Test runs that find no adapter fail here, before any test: nothing may pass by doing nothing. */
export default function setup(): void {
  process.env['TILESIGHT_TEST'] = '1';
}
