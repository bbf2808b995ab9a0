import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ApprovalSubject,
  entryChanges,
  isGenuine,
  launchChanges,
  sealApproval,
} from "../../src/launch/approval.ts";

const key = randomBytes(32);
const REF = "mcp-secret://local/github/TOKEN";
const subject: ApprovalSubject = {
  id: "claude-desktop/github",
  command: "npx",
  args: ["-y", "server", "${workspaceFolder}/x", `--key=${REF}`],
  env: { TOKEN: REF, LEVEL: "debug", WHERE: "${HOME}/data", URL: `https://u:${REF}@h` },
  members: { cwd: '"/home/u/project"' },
  config: "/c.json",
  pointer: "/mcpServers/github",
};
const since = "2026-01-01T00:00:00.000Z";
const sealed = sealApproval(subject, key, since);
const words = ["npx", "-y", "server", "/home/u/x", `--key=${REF}`];
const env = { ...subject.env, WHERE: "/home/u/data", HOME: "/home/u", PATH: "/bin" };

test("an entry as approved is started, among variables of the client", () => {
  expect(isGenuine(sealed, key)).toBe(true);
  expect(launchChanges(sealed, { words, env }, key)).toEqual([]);
  const { members } = subject;
  const entry = { words: [subject.command, ...subject.args], env: subject.env, members };
  expect(entryChanges(sealed, entry, key)).toEqual([]);
});

test("variables that a client may drop, for they are empty or become so, may be missing", () => {
  const with2 = sealApproval({ ...subject, env: { ...subject.env, EMPTY: "", MCPS_HOME: "/h" } }, key, since);
  const rest = Object.entries(env).filter(([name]) => name !== "WHERE");
  expect(launchChanges(with2, { words, env: Object.fromEntries(rest) }, key)).toEqual([]);
});

test("on Windows names of variables have no case", () => {
  const upper = Object.fromEntries(Object.entries(env).map(([name, text]) => [name.toLowerCase(), text]));
  expect(launchChanges(sealed, { words, env: upper, anyCase: true }, key)).toEqual([]);
  expect(launchChanges(sealed, { words, env: upper }, key)).toContain("the missing variable LEVEL");
});

describe("a launch is refused", () => {
  test.each([
    ["another command", { words: ["bash", ...words.slice(1)], env }, "the command"],
    ["another argument", { words: words.with(2, "evil"), env }, "the arguments"],
    ["an argument more", { words: [...words, "--evil"], env }, "the arguments"],
    ["an argument less", { words: words.slice(0, -1), env }, "the arguments"],
    ["arguments in another order", { words: words.with(1, "server").with(2, "-y"), env }, "the arguments"],
    ["what an expansion cannot have made", { words: words.with(3, "/home/u/y"), env }, "the arguments"],
    ["another value", { words, env: { ...env, LEVEL: "trace" } }, "the value of LEVEL"],
    ["another reference", { words, env: { ...env, TOKEN: `${REF}2` } }, "the value of TOKEN"],
    ["a plain variable less", { words, env: without("LEVEL") }, "the missing variable LEVEL"],
    ["a reference less", { words, env: without("TOKEN") }, "the missing variable TOKEN"],
    ["a text around a reference", { words, env: { ...env, URL: `https://evil:${REF}@h` } }, "the value of URL"],
    ["a reference more", { words, env: { ...env, MORE: "mcp-secret://local/other/TOKEN" } }, "the reference in MORE"],
    ["the same reference elsewhere", { words, env: { ...env, LEAK: REF } }, "the reference in LEAK"],
  ])("with %s", (_, view, change) => {
    expect(launchChanges(sealed, view, key)).toContain(change);
  });

  test("and never with a value in what is said", () => {
    const said = launchChanges(sealed, { words, env: { ...env, LEVEL: "s3cret" } }, key).join();
    expect(said).not.toMatch(/s3cret|debug/);
  });
});

describe("the config is looked at exactly", () => {
  const { members } = subject;
  const entry = { words: [subject.command, ...subject.args], env: subject.env, members };
  test.each([
    ["a variable more", { ...entry, env: { ...subject.env, PATH: "/evil" } }, "the new variable PATH"],
    ["a variable less", { ...entry, env: { TOKEN: REF } }, "the missing variable LEVEL"],
    ["another text that expands", { ...entry, env: { ...subject.env, WHERE: "${EVIL}" } }, "the value of WHERE"],
    ["another folder", { ...entry, members: { cwd: '"/evil"' } }, "cwd"],
    ["no folder", { ...entry, members: {} }, "cwd"],
    ["a file of variables", { ...entry, members: { ...members, envFile: '".env"' } }, "envFile"],
    ["another argument that expands", { ...entry, words: entry.words.with(3, "${EVIL}/x") }, "the arguments"],
  ])("%s", (_, view, change) => {
    expect(entryChanges(sealed, view, key)).toContain(change);
  });
});

test("a plain value is in the record only as a digest that the key makes", () => {
  expect(JSON.stringify(sealed)).not.toContain("debug");
  const other = sealApproval(subject, randomBytes(32), since);
  const digestOf = ({ env: variables }: typeof sealed) => variables.find(({ name }) => name === "LEVEL")?.digest;
  expect(digestOf(sealed)).not.toBe(digestOf(other));
});

test("no change of any member of a record goes unnoticed, nor another key", () => {
  expect(isGenuine(sealed, randomBytes(32))).toBe(false);
  const changes = [
    { id: "x/y" },
    { words: ["npx", "-y server", ...sealed.words.slice(3)] },
    { env: sealed.env.slice(1) },
    { members: [] },
    { members: (sealed.members ?? []).map((member) => ({ ...member, name: "envFile" })) },
    { env: sealed.env.map((variable) => ({ ...variable, expands: true })) },
    { config: "/d.json" },
    { pointer: "/mcpServers/gitlab" },
    { since: "2027-01-01T00:00:00.000Z" },
    { mac: sealed.mac.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) },
    { mac: "" },
  ];
  for (const change of changes) expect(isGenuine({ ...sealed, ...change }, key)).toBe(false);
});

test("an approval from before there were members is good for an entry without", () => {
  const old = sealApproval({ ...subject, members: {} }, key, since);
  const { members, ...rest } = old;
  expect(members).toEqual([]);
  expect(isGenuine({ ...rest, members: [] }, key)).toBe(true);
});

test("two different entries never have the same seal", () => {
  const texts = fc.array(fc.string(), { maxLength: 3 });
  const entry = fc.record({ command: fc.string(), args: texts, env: fc.dictionary(fc.string(), fc.string()) });
  fc.assert(
    fc.property(entry, entry, (a, b) => {
      const seal = (one: typeof a) => sealApproval({ ...subject, ...one }, key, since).mac;
      expect(seal(a) === seal(b)).toBe(plain(a) === plain(b));
    }),
  );
});

function without(gone: string): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== gone));
}

/** The entry as text, whatever the order of its variables. */
function plain({ command, args, env: variables }: Pick<ApprovalSubject, "command" | "args" | "env">): string {
  const names = Object.keys(variables).toSorted((a, b) => (a < b ? -1 : 1));
  return JSON.stringify([command, args, names.map((name) => [name, variables[name]])]);
}
