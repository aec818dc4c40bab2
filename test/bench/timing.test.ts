import { describe, expect, it } from 'vitest';
import { idleOf } from '../../bench/ensemble.js';
import { figure } from '../../bench/report.js';
import { interleave, measure, scaled, spread } from '../../bench/timing.js';

describe('spread', () => {
  it('gives quartiles between the samples', () => {
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, p25: 1.75, p75: 3.25, n: 4 });
    expect(spread([7])).toEqual({ median: 7, p25: 7, p75: 7, n: 1 });
  });

  it('refuses to summarise nothing', () => {
    expect(() => spread([])).toThrow('nothing was measured');
  });

  it('is scaled figure by figure', () => {
    expect(scaled(spread([1, 2, 3]), 10)).toEqual({ median: 20, p25: 15, p75: 25, n: 3 });
  });
});

describe('interleave', () => {
  it('takes one sample of every task a round, in order, and keeps what the task says it took', async () => {
    const order: string[] = [];
    let calls = 0;
    const task = (name: string) => (): Promise<number> => {
      order.push(name);
      return Promise.resolve(++calls);
    };
    const samples = await interleave(
      new Map([
        ['a', task('a')],
        ['b', task('b')],
      ]),
      { iterations: 3, time: 0 },
    );
    expect(order.join('')).toBe('ababab');
    expect(samples.get('a')).toEqual([1, 3, 5]);
    expect(samples.get('b')).toEqual([2, 4, 6]);
  });

  it('takes three samples of what takes long', async () => {
    const slow = (): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(1), 5));
    expect(await measure(slow, { iterations: 10, time: 0, longest: 1 })).toMatchObject({ n: 3 });
    expect(await measure(slow, { iterations: 2, time: 0, longest: 1 })).toMatchObject({ n: 2 });
    expect(await measure(slow, { iterations: 4, time: 0, longest: 1000 })).toMatchObject({ n: 4 });
  });

  it('passes on what a task throws', async () => {
    await expect(measure(() => Promise.reject(new Error('broken')), { iterations: 1, time: 0 })).rejects.toThrow(
      'broken',
    );
  });
});

describe('idleOf', () => {
  it('is the share that no span covers, overlaps counted once', () => {
    const spans = [
      { start: 0, duration: 10 },
      { start: 5, duration: 10 },
      { start: 20, duration: 20 },
    ];
    expect(idleOf(spans)).toBeCloseTo(5 / 40);
    expect(idleOf([...spans].reverse())).toBeCloseTo(5 / 40);
    expect(idleOf([])).toBe(0);
  });
});

it('figures are short and readable', () => {
  expect([12, 1234.5, 0.01234, 0.00001234].map(figure)).toEqual(['12', '1235', '0.0123', '1.2e-5']);
});
