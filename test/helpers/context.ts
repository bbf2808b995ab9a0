import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Context, realContext } from "../../src/context.ts";

/** A Context over a home and a folder of its own, without a terminal; what commands write is kept. */
export interface TestContext extends Disposable {
  readonly context: Context;
  readonly folder: string;
  /** What was written to stdout and stderr since the last call. */
  taken(): { readonly out: string; readonly err: string };
}

export function testContext(): TestContext {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "mcps-context-")));
  let out = "";
  let err = "";
  const real = realContext();
  const context: Context = {
    ...real,
    env: { HOME: folder, PATH: process.env["PATH"] },
    cwd: folder,
    userHome: folder,
    home: join(folder, ".mcp-secrets"),
    temporary: folder,
    program: { ...real.program, folder: resolve("dist") },
    terminal: {
      ...real.terminal,
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      outIsTty: false,
      errIsTty: false,
      inIsTty: false,
    },
  };
  const taken = () => {
    const said = { out, err };
    out = "";
    err = "";
    return said;
  };
  return { context, folder, taken, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
