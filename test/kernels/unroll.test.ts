import { describe, expect, it } from 'vitest';
import { unroll } from '../../src/kernels/unroll.js';

const squeeze = (text: string): string => text.replace(/\s+/g, ' ').trim();

const source = `
const ROWS: u32 = 4u;
fn f() {
  for (var i = 0u; i < ROWS / 2; i++) { // unroll
    for (var j = 0u; j < 2u; j++) { // unroll
      sum[i * 2u + j] += index;
    }
  }
  for (var i = 0u; i < 2u; i++) { // unroll-memory
    store(sum[i]);
  }
  for (var k = 0u; k < 2u; k++) {
    other(k);
  }
}`;

describe('writing out loops', () => {
  it('replaces the variable, and nothing that only contains its name', () => {
    const text = squeeze(unroll(source));
    expect(text).toContain('{ { sum[0u * 2u + 0u] += index; } { sum[0u * 2u + 1u] += index; } }');
    expect(text).toContain('{ store(sum[0u]); } { store(sum[1u]); }');
    expect(text).toContain('for (var k = 0u; k < 2u; k++) { other(k); }');
  });

  it('takes constants from the record before those of the text', () => {
    expect(unroll(source, { ROWS: 8 }).match(/\+= index/g)).toHaveLength(8);
    expect(unroll(source).match(/\+= index/g)).toHaveLength(4);
  });

  it('keeps loops over memory where asked, out of the driver’s sight', () => {
    const text = squeeze(unroll(source, {}, 'keep'));
    expect(text).toContain('for (var i_turn = 0u; i_turn < min(2u, params.longest_loop); i_turn++) {');
    expect(text).toContain('let i = min(i_turn, params.longest_loop); store(sum[i]); }');
  });

  it('says which bound it does not know and which loop has no end', () => {
    expect(() => unroll(source.replace('ROWS / 2', 'SIZE'))).toThrow('the bound SIZE of a loop is not known');
    expect(() => unroll('for (var i = 0u; i < 2u; i++) { // unroll\n  x();\n')).toThrow('no closing brace');
  });
});
