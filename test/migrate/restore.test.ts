import { describe, expect, it } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { digest, newMigration } from "../../src/migrate/journal.ts";
import { undo } from "../../src/migrate/restore.ts";
import { planOf, rewritten, type Spot } from "./configs.ts";

const CONFIG = `{
  // mine
  "mcpServers": {
    "db": {
      "command": "psql",
      "args": ["postgresql://a:s3cret@h/c", "-q"],
    },
    "mail": { "command": "mail", "env": { "PASS": "hunter2", "PORT": "25" } },
    "plain": { "command": "sh", "env": { "X": "zzz" } }
  }
}
`;
const SPOTS: Spot[] = [
  ["/mcpServers/db/args/0", "s3cret", { name: "password", encoded: true }],
  ["/mcpServers/mail/env/PASS", "hunter2"],
];

function migrated(config = CONFIG, spots = SPOTS) {
  const plan = planOf(config, spots);
  const after = rewritten(config, plan);
  const migration = newMigration({
    id: "1",
    config: "/c.json",
    client: "claude-desktop",
    at: "2026-01-01T00:00:00.000Z",
    before: digest(Buffer.from(config)),
    after: digest(Buffer.from(after)),
    servers: plan.configs[0]?.entries.map(({ server }) => server) ?? [],
    edits: plan.configs[0]?.edits ?? [],
  });
  const back = (current: string, servers?: string[]) => {
    const input = { migration, original: Buffer.from(config), format: jsonc, keyPath: ["mcpServers"] };
    const result = undo({ ...input, current: Buffer.from(current), ...(servers === undefined ? {} : { servers }) });
    return { ...result, text: result.bytes.toString() };
  };
  return { after, back };
}

describe("a config that nobody changed", () => {
  it("gets its exact bytes back", () => {
    const { after, back } = migrated();
    expect(back(after)).toMatchObject({ exact: true, text: CONFIG, servers: ["db", "mail"], refused: [] });
  });
});

describe("a config that the user changed since", () => {
  it("keeps a server that was added and gives the migrated ones back to the byte", () => {
    const { after, back } = migrated();
    const edit = (text: string) => text.replace(`"zzz"`, `"changed", "NEW": "1"`).replace("// mine", "// mine too");
    expect(back(edit(after))).toMatchObject({ exact: false, text: edit(CONFIG), refused: [] });
  });

  it("keeps an edit of an argument and of a variable beside the secrets", () => {
    const { after, back } = migrated();
    const edit = (text: string) => text.replace(`"-q"`, `"-v", "-q"`).replace(`"25"`, `"587"`);
    expect(back(edit(after)).text).toBe(edit(CONFIG));
  });

  it("puts the secret into a text that the user wrote around the reference", () => {
    const { after, back } = migrated();
    const ref = "mcp-secret://local/mail/PASS";
    expect(back(after.replace(ref, `x:${ref}`)).text).toBe(CONFIG.replace("hunter2", "x:hunter2"));
  });

  it("has nothing to do where a client wrote its old copy back", () => {
    const { back } = migrated();
    expect(back(CONFIG)).toMatchObject({ exact: true, text: CONFIG, servers: ["db", "mail"], refused: [] });
    const later = CONFIG.replace(`"zzz"`, `"yyy"`);
    expect(back(later)).toMatchObject({ text: later, servers: ["db", "mail"], refused: [] });
  });

  it("makes a number of what was one, and keeps what the user wrote beside it", () => {
    const config = `{"mcpServers": {"n": {"command": "x", "args": [7123456789], "env": {"T": 98237498237412, "P": 1.0}}}}`;
    const { after, back } = migrated(config, [
      ["/mcpServers/n/env/T", "98237498237412"],
      ["/mcpServers/n/args/0", "7123456789"],
    ]);
    expect(after).toContain(`"T": "mcp-secret://local/n/T", "P": 1.0`);
    expect(back(after.replace("1.0", "2")).text).toBe(config.replace("1.0", "2"));
    expect(back(after).text).toBe(config);
  });

  it("finds a server that was renamed, and one that was copied, by its id", () => {
    const { after, back } = migrated();
    const result = back(after.replace(`"mail":`, `"post":`));
    expect(result.text).toBe(CONFIG.replace(`"mail":`, `"post":`));
    const copy = after.slice(after.indexOf(`"mail"`), after.indexOf(`"plain"`)).replace(`"mail"`, `"copy"`);
    const twice = back(after.replace(`"plain"`, `${copy}"plain"`));
    expect(twice.text).not.toContain("mcp-secret://");
    expect(twice.gone).toEqual([]);
  });

  it("tells of servers that are in the file no more, and does not count them as restored", () => {
    const { back } = migrated();
    expect(back("{}")).toMatchObject({ text: "{}", servers: [], gone: ["db", "mail"], refused: [] });
  });

  it("leaves a server that the user removed removed", () => {
    const config = JSON.stringify({ mcpServers: { a: { command: "x", env: { K: "abc" } }, b: { command: "y" } } });
    const { back } = migrated(config, [["/mcpServers/a/env/K", "abc"]]);
    const now = JSON.stringify({ mcpServers: { b: { command: "y" } } });
    expect(back(now).text).toBe(now);
  });

  it("refuses an entry whose argument lost its secret to a variable and was changed", () => {
    const { after, back } = migrated();
    const now = after.replace("postgresql://a@h/c", "postgresql://a@elsewhere/c");
    const result = back(now);
    expect(result.refused).toEqual([{ server: "db", reason: expect.stringMatching(/argument/) }]);
    expect(result.servers).toEqual(["mail"]);
    expect(result.text).toContain("elsewhere");
    expect(result.text).toContain("hunter2");
    expect(result.text).not.toContain("s3cret");
  });

  it("refuses to take the launcher away from references that were added since", () => {
    const { after, back } = migrated();
    const now = after.replace(`"25"`, `"mcp-secret://local/mail/PORT"`);
    expect(back(now).refused).toEqual([{ server: "mail", reason: expect.stringMatching(/references/) }]);
  });

  it("leaves an entry that was written anew as it is", () => {
    const { after, back } = migrated();
    const start = after.indexOf(`"mail"`);
    const now = `${after.slice(0, start)}"mail": { "command": "other" },\n    ${after.slice(after.indexOf(`"plain"`))}`;
    expect(back(now).text).toContain(`"mail": { "command": "other" }`);
  });
});

describe("one server of several", () => {
  it("comes back alone", () => {
    const { after, back } = migrated();
    const { text, servers } = back(after, ["mail"]);
    expect(servers).toEqual(["mail"]);
    expect(text).toContain(`"mail": { "command": "mail", "env": { "PASS": "hunter2", "PORT": "25" } }`);
    expect(text).not.toContain("s3cret");
  });
});

describe("an entry without arguments", () => {
  it("loses the arguments that migrate gave it", () => {
    const { after, back } = migrated(`{"mcpServers":{"a":{"command":"x","env":{"K":"abc"}}},"z":1}`, [
      ["/mcpServers/a/env/K", "abc"],
    ]);
    expect(back(after.replace(`"z":1`, `"z":2`)).text).toBe(
      `{"mcpServers":{"a":{"command":"x","env":{"K":"abc"}}},"z":2}`,
    );
  });
});
