import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseJsonc } from "jsonc-parser";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCases } from "../../bench/cases.ts";
import { jsonc } from "../../src/clients/jsonc.ts";
import type { Entry } from "../../src/clients/document.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runRestore } from "../../src/commands/restore.ts";
import { findRefs } from "../../src/core/ref.ts";
import { launchRefs, refKey } from "../../src/launch/references.ts";
import { substitute } from "../../src/launch/substitute.ts";
import { unwrap, wordsOf } from "../../src/migrate/wrapper.ts";
import { openStore } from "../../src/stores.ts";
import { type TestContext, testContext } from "../helpers/context.ts";

/** The same config as other people would have written it. */
const LAYOUTS: readonly [name: string, (text: string) => string][] = [
  ["as it is", (text) => text],
  ["tabs", (text) => text.replace(/^( +)/gm, (blanks) => "\t".repeat(blanks.length / 2))],
  ["CRLF", (text) => text.replaceAll("\n", "\r\n")],
  ["byte order mark", (text) => `\uFEFF${text}`],
  ["one line", (text) => JSON.stringify(JSON.parse(text))],
  ["comments", (text) => text.replace(/^( *)(?="(?:command|env|args)")/gm, "$1// mine\n$1/* and mine */ ")],
  ["trailing commas", (text) => text.replace(/(["\]}])\n( *[\]}])/g, "$1,\n$2")],
  ["no final newline", (text) => text.trimEnd()],
];

let world: TestContext;
beforeEach(() => {
  world = testContext();
});
afterEach(() => {
  world[Symbol.dispose]();
});

/** What a server gets: its words and its variables. */
interface Given {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function given(entry: Entry): Given {
  const env = Object.fromEntries(entry.env.map(({ name, text }) => [name, text]));
  return { words: wordsOf(entry).map(({ text }) => text), env };
}

/** What the server of a rewritten entry gets from the store. */
async function launched(entry: Entry): Promise<Given> {
  const { words, env } = given(entry);
  const refs = launchRefs(words, env);
  const provider = await openStore(world.context, "local");
  const resolved = await provider.resolve(refs, { deadline: Date.now() + 10_000 });
  const values = new Map(resolved.map(({ ref, value }) => [refKey(ref), value]));
  const fill = (text: string) => substitute(text, values);
  return {
    words: words.map(fill),
    env: Object.fromEntries(Object.entries(env).map(([name, text]) => [name, fill(text)])),
  };
}

/** A secret may have moved where its server reads it; what a password in a URL means, PGPASSWORD holds. */
function settled({ words, env }: Given): unknown {
  const decode = (text: string) =>
    text.replace(/%[0-9A-Fa-f]{2}/g, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
  const moved = words.map((word, index) => {
    const option = /^(--env=|-e)?([A-Za-z_]\w*)$/.exec(word);
    const name = option?.[2] ?? "";
    const isOption = option?.[1] !== undefined || ["-e", "--env"].includes(words[index - 1] ?? "");
    if (isOption && Object.hasOwn(env, name)) return `${word}=${env[name]}`;
    if (/^postgres(ql)?:/.test(word)) {
      return decode(env["PGPASSWORD"] === undefined ? word : word.replace("@", `:${env["PGPASSWORD"]}@`));
    }
    return word.replace(/\$\{(MCP_HEADER_\w+)\}/g, (_, header: string) => env[header] ?? "");
  });
  return moved;
}

async function circle(file: string, text: string) {
  writeFileSync(file, text);
  const before = jsonc.parse(Buffer.from(text), ["mcpServers"]);
  const code = await runMigrate(world.context, { config: [file], store: "local", yes: true, json: true });
  const report = JSON.parse(world.taken().out).configs[0];
  const after = jsonc.parse(readFileSync(file), ["mcpServers"]);
  return { before, after, code, report };
}

describe.each(["dev", "hard.dev"] as const)("every config of %s", (name) => {
  it.each(LAYOUTS.map(([layout, write], index) => ({ layout, write, index })))(
    "$layout: migrated, every server gets what it got, and restored to the byte",
    { timeout: 240_000 },
    async ({ write, index }) => {
      // Each config in each layout would be four thousand circles: every layout takes its share of them.
      const long = process.env["MCPS_LONG"] === "1";
      const cases = readCases(name).filter((_, at) => long || at % LAYOUTS.length === index);
      for (const { id, file: original } of cases) {
        const text = write(original);
        const file = join(world.folder, `${id}-${index}.json`);
        const { before, after, code, report } = await circle(file, text);
        expect(code, id).toBe(0);
        for (const [at, entry] of before.entries.entries()) {
          const now = after.entries[at];
          const found = report.findings.filter((finding: { pointer: string; reference?: string }) => {
            return finding.pointer.startsWith(`${entry.pointer}/`) && finding.reference !== undefined;
          });
          if (now === undefined) throw new Error(`${id}: an entry is gone`);
          expect(unwrap(now) !== undefined, `${id} ${entry.server}`).toBe(found.length > 0);
          const real = await launched(now);
          expect(settled(real), `${id} ${entry.server}`).toEqual(settled(given(entry)));
          expect(real.env, id).toMatchObject(given(entry).env);
        }
        expect(findRefs(text)).toEqual([]);
        expect(otherMembers(readFileSync(file, "utf8")), id).toEqual(otherMembers(text));

        const written = statSync(file, { bigint: true });
        if (report.status === "nothing") continue;
        const again = await runMigrate(world.context, { config: [file], store: "local", yes: true, json: true });
        expect(again, id).toBe(0);
        expect(JSON.parse(world.taken().out).configs[0].status, id).toBe("nothing");
        expect(statSync(file, { bigint: true }).mtimeNs, id).toBe(written.mtimeNs);

        await runRestore(world.context, { config: [file], yes: true });
        world.taken();
        expect(readFileSync(file).equals(Buffer.from(text)), id).toBe(true);
      }
    },
  );
});

/** All of a config but what migrate may write. */
function otherMembers(text: string): unknown {
  const root = parseJsonc(text.replace(/^\uFEFF/, ""), [], { allowTrailingComma: true });
  for (const server of Object.values<Record<string, unknown>>(root.mcpServers)) {
    for (const name of ["command", "args", "env"]) delete server[name];
  }
  return root;
}
