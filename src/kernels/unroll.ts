import type { AdapterProfile } from '../engine/adapter.js';

/** What becomes of loops marked `unroll-memory`. */
export type MemoryLoops = 'unroll' | 'keep';

/**
 * Writes out the loops of a kernel that are marked for it: a driver then sees register arrays indexed by constants
 * alone, which not every one of them finds out by itself (SwiftShader computes 20 times slower without).
 *
 * A marked loop has its header on a line of its own, of exactly this form, and a closing brace of the same indentation:
 * `for (var i = 0u; i < BOUND; i++) { // unroll` with BOUND a number or an expression of numbers and the kernel's
 * `const`s with `+ - * /`.
 *
 * Loops marked `unroll-memory` hold loads and stores, each of which costs lavapipe's compiler 25 ms or more; with `keep` they
 * stay loops, and `min(…, params.longest_loop)` around bound and variable hides both from the driver, which would
 * otherwise write them out itself (Mesa guesses a bound from the length of an array that the variable indexes). Kernels
 * with such loops have that parameter; its value is {@link longestLoop}.
 */
export function unroll(
  source: string,
  constants: Readonly<Record<string, number>> = {},
  memoryLoops: MemoryLoops = 'unroll',
): string {
  const known = { ...declaredConstants(source), ...constants };
  return expand(source.split('\n'), known, memoryLoops).join('\n');
}

/** Value of the parameter `longest_loop`: no bound of any loop. */
export const longestLoop = 0xffffffff;

/**
 * What is best for an adapter. Registers indexed by variables are slow on hardware; in software all registers are memory,
 * and kernels compile several times faster with these loops kept (SwiftShader: 0.25 s instead of 1.5 s, runs 15 % slower).
 */
export function memoryLoopsOf(adapter: AdapterProfile): MemoryLoops {
  return adapter.class === 'hardware' ? 'unroll' : 'keep';
}

/**
 * The same for kernels that walk down strips with few loads a step: SwiftShader compiles them four times faster with their
 * loops kept; lavapipe runs them faster written out.
 */
export function stripLoopsOf(adapter: AdapterProfile): MemoryLoops {
  return adapter.class === 'swiftshader' ? 'keep' : 'unroll';
}

const header = /^(\s*)for \(var (\w+) = 0u; \2 < ([^;]+); \2\+\+\) \{ \/\/ unroll(-memory)?$/;

function expand(
  lines: readonly string[],
  constants: Readonly<Record<string, number>>,
  memoryLoops: MemoryLoops,
): string[] {
  const result: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const [, indentation, variable, bound, mark] = header.exec(line) ?? [];
    if (indentation === undefined || !variable || bound === undefined) {
      result.push(line);
      continue;
    }
    if (mark !== undefined && memoryLoops === 'keep') {
      const turn = `${variable}_turn`;
      result.push(
        `${indentation}for (var ${turn} = 0u; ${turn} < min(${bound}, params.longest_loop); ${turn}++) {`,
        `${indentation}  let ${variable} = min(${turn}, params.longest_loop);`,
      );
      continue;
    }
    const end = lines.indexOf(`${indentation}}`, index);
    if (end < 0) throw new Error(`the loop over ${variable} has no closing brace in its column`);
    const count = evaluate(bound, constants);
    const body = lines.slice(index + 1, end);
    const pattern = new RegExp(`\\b${variable}\\b`, 'g');
    for (let turn = 0; turn < count; turn++) {
      const copy = body.map((text) => text.replace(pattern, `${turn}u`));
      result.push(`${indentation}{`, ...expand(copy, constants, memoryLoops), `${indentation}}`);
    }
    index = end;
  }
  return result;
}

function declaredConstants(source: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [, name, value] of source.matchAll(/^const (\w+): u32 = (\d+)u;/gm)) {
    if (name !== undefined) found[name] = Number(value);
  }
  return found;
}

/** Value of `4u`, `ROWS` or `ROWS / SUBGROUP`: products and quotients from left to right. */
function evaluate(expression: string, constants: Readonly<Record<string, number>>): number {
  const [first = '', ...rest] = expression.trim().split(/\s*([*/+-])\s*/);
  let value = term(first, constants);
  for (let index = 0; index + 1 < rest.length; index += 2) {
    const right = term(rest[index + 1] ?? '', constants);
    switch (rest[index]) {
      case '*':
        value *= right;
        break;
      case '/':
        value = Math.floor(value / right);
        break;
      case '+':
        value += right;
        break;
      default:
        value -= right;
    }
  }
  return value;
}

function term(text: string, constants: Readonly<Record<string, number>>): number {
  const value = /^\d+u?$/.test(text) ? parseInt(text, 10) : constants[text];
  if (value === undefined) throw new Error(`the bound ${text} of a loop is not known`);
  return value;
}
