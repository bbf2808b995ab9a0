import type { Context } from "../../src/context.ts";

export interface Said {
  /** What comes by a pipe. */
  readonly stdin?: string | Buffer;
  /** What the user types at each question, in order; stdin is then a terminal. */
  readonly typed?: readonly (string | undefined)[];
  readonly outIsTty?: boolean;
}

/** The context with a user, or a pipe, at its terminal. */
export function withTerminal(context: Context, { stdin, typed, outIsTty = false }: Said): Context {
  const answers = [...(typed ?? [])];
  const answer = (): Promise<string | undefined> => {
    if (answers.length === 0) throw new Error("a question that the test did not expect");
    return Promise.resolve(answers.shift());
  };
  const readInput = (): Buffer => {
    if (stdin === undefined) throw new Error("stdin was read");
    return Buffer.from(stdin);
  };
  const inIsTty = typed !== undefined;
  return {
    ...context,
    terminal: { ...context.terminal, inIsTty, outIsTty, readInput, ask: answer, askHidden: answer },
  };
}
