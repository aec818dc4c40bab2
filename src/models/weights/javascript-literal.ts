import { TilesightError } from '../../engine/errors.js';

/** Values nested deeper are refused. */
const maximumDepth = 64;

/**
 * The value that a browserified module exports (`...{1:[function(e,t,n){t.exports=<literal>},{}]},{},[1])...`), as minifiers write it:
 * objects with bare or quoted keys, arrays, texts, numbers such as `.5` or `-1e-3`, `!0`, `!1`, `null`. The text is parsed, never run.
 * Throws `TilesightError('input')` for anything else; `where` names the file.
 */
export function parseModuleExport(source: string, where: string): unknown {
  const start = /\{1:\[function\([\w$]+,[\w$]+,[\w$]+\)\{[\w$]+\.exports=/.exec(source);
  if (!start) {
    throw new TilesightError('input', `${where}: is no JavaScript module that holds data; fetch the package again`);
  }
  return new LiteralParser(source, start.index + start[0].length, where).whole();
}

class LiteralParser {
  constructor(
    private readonly source: string,
    private position: number,
    private readonly where: string,
  ) {}

  /** The value and the brace that closes the module's function. */
  whole(): unknown {
    const value = this.value(0);
    this.expect('}');
    return value;
  }

  private value(depth: number): unknown {
    if (depth > maximumDepth) throw this.error();
    switch (this.source[this.position]) {
      case '{':
        return this.object(depth);
      case '[':
        return this.array(depth);
      case '"':
      case "'":
        return this.text();
      case '!':
        return this.boolean();
      default:
        return this.take('null') ? null : this.number();
    }
  }

  private object(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.position++;
    while (!this.take('}')) {
      if (entries.length > 0) this.expect(',');
      const key = this.key();
      this.expect(':');
      entries.push([key, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  private array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.position++;
    while (!this.take(']')) {
      if (items.length > 0) this.expect(',');
      items.push(this.value(depth + 1));
    }
    return items;
  }

  private key(): string {
    const first = this.source[this.position];
    if (first === '"' || first === "'") return this.text();
    return this.match(/[\w$]+/y);
  }

  /** Only texts without escapes occur: base64 and names. */
  private text(): string {
    const quote = this.source[this.position] ?? '';
    const end = this.source.indexOf(quote, this.position + 1);
    if (end < 0) throw this.error();
    const text = this.source.slice(this.position + 1, end);
    if (text.includes('\\')) throw this.error();
    this.position = end + 1;
    return text;
  }

  private boolean(): boolean {
    if (this.take('!0')) return true;
    if (this.take('!1')) return false;
    throw this.error();
  }

  private number(): number {
    return Number(this.match(/-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/y));
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.source);
    if (!found) throw this.error();
    this.position = pattern.lastIndex;
    return found[0];
  }

  private take(token: string): boolean {
    if (!this.source.startsWith(token, this.position)) return false;
    this.position += token.length;
    return true;
  }

  private expect(token: string): void {
    if (!this.take(token)) throw this.error();
  }

  private error(): TilesightError {
    const place = `character ${this.position + 1}`;
    return new TilesightError('input', `${this.where}: damaged JavaScript module at ${place}; fetch the package again`);
  }
}
