const inspect = Symbol.for("nodejs.util.inspect.custom");
const SHOWN = "[secret]";

/**
 * A secret value. Every rendering (`String`, template, JSON, `util.inspect`, `%o`, spread) gives `[secret]` or nothing;
 * only `expose()` reveals it, so that `grep expose(` is the leak review.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  expose(): string {
    return this.#value;
  }

  equals(other: Secret): boolean {
    // Not its private field: the built program has several chunks, each with a copy of this class.
    return this.#value === other.expose();
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect](): string {
    return SHOWN;
  }
}
