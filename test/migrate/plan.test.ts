import { describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { formatRef } from "../../src/core/ref.ts";
import { inputOf, LAUNCHER, planOf, rewritten } from "./configs.ts";
import { makePlan } from "../../src/migrate/plan.ts";

const GITHUB = `{
  "mcpServers": {
    "github": {
      "command": "npx",
      "args": ["-y", "server-github"],
      "env": { "TOKEN": "ghp_abc" }
    }
  }
}
`;

describe("an entry with a secret in its environment", () => {
  it("starts through the launcher and holds a reference", () => {
    const plan = planOf(GITHUB, [["/mcpServers/github/env/TOKEN", "ghp_abc"]]);
    expect(rewritten(GITHUB, plan)).toBe(`{
  "mcpServers": {
    "github": {
      "command": "/home/u/.mcp-secrets/bin/mcp-secrets",
      "args": ["run", "--entry", "claude-desktop/github", "--", "npx", "-y", "server-github"],
      "env": { "TOKEN": "mcp-secret://local/github/TOKEN" }
    }
  }
}
`);
    expect(plan.secrets.map(({ ref, known }) => [formatRef(ref), known])).toEqual([
      ["mcp-secret://local/github/TOKEN", false],
    ]);
    expect(plan.configs[0]?.entries).toEqual([
      {
        id: "claude-desktop/github",
        server: "github",
        pointer: "/mcpServers/github",
        command: "npx",
        args: ["-y", "server-github"],
        env: { TOKEN: "mcp-secret://local/github/TOKEN" },
        members: {},
      },
    ]);
  });

  it("is left alone when it holds none", () => {
    expect(planOf(GITHUB, []).configs[0]?.edits).toEqual([]);
  });

  it("is left when another is in its command, a line that no launcher can start", () => {
    const line = GITHUB.replace('"npx"', '"server --key s3cret"');
    const plan = planOf(line, [
      ["/mcpServers/github/command", "s3cret"],
      ["/mcpServers/github/env/TOKEN", "ghp_abc"],
    ]);
    expect(plan.configs[0]?.edits).toEqual([]);
    expect(plan.configs[0]?.findings.map(({ left }) => left)).toEqual([
      expect.stringMatching(/split/),
      expect.stringMatching(/split/),
    ]);
  });

  it("is not wrapped twice: only the new secret moves", () => {
    const once = rewritten(GITHUB, planOf(GITHUB, [["/mcpServers/github/env/TOKEN", "ghp_abc"]]));
    const more = once.replace(`"server-github"]`, `"server-github", "--key", "s3cret"]`);
    const plan = planOf(more, [["/mcpServers/github/args/8", "s3cret", { name: "--key" }]]);
    expect(rewritten(more, plan)).toBe(more.replace("s3cret", "mcp-secret://local/github/key"));
    expect(plan.configs[0]?.entries[0]).toMatchObject({ id: "claude-desktop/github", command: "npx" });
  });
});

describe("places of secrets", () => {
  const two = JSON.stringify({
    mcpServers: {
      one: { command: "a", env: { KEY: "same", OTHER: "x1" } },
      two: { command: "b", env: { KEY: "same", key: "x2" } },
    },
  });

  it("stores the same value once", () => {
    const plan = planOf(two, [
      ["/mcpServers/one/env/KEY", "same"],
      ["/mcpServers/two/env/KEY", "same"],
    ]);
    expect(plan.secrets).toHaveLength(1);
    expect(rewritten(two, plan).match(/mcp-secret:\/\/local\/one\/KEY"/g)).toHaveLength(2);
  });

  it("gives a name that is taken by another value a number, whatever its case", () => {
    const known = [{ path: "one/key", field: "value", value: new Secret("older") }];
    const plan = planOf(two, [["/mcpServers/one/env/KEY", "same"]], known);
    expect(plan.secrets.map(({ ref }) => ref.path)).toEqual(["one/KEY-2"]);
  });

  it("uses the reference that exists for a value that the store holds", () => {
    const known = [{ path: "team/db", field: "password", value: new Secret("same") }];
    const plan = planOf(two, [["/mcpServers/one/env/KEY", "same"]], known);
    expect(plan.secrets.map(({ ref, known: there }) => [formatRef(ref), there])).toEqual([
      ["mcp-secret://local/team/db#password", true],
    ]);
  });

  it("makes segments of names that are none", () => {
    const config = JSON.stringify({ mcpServers: { "My Server/ü": { command: "a", args: ["s3cret"] } } });
    const plan = planOf(config, [["/mcpServers/My Server~1ü/args/0", "s3cret", { name: "../.." }]]);
    expect(plan.secrets.map(({ ref }) => ref.path)).toEqual(["My-Server/secret"]);
  });
});

describe("ids of entries", () => {
  it("differ for names that are spelled alike once cleaned", () => {
    const server = (key: string) => ({ command: "x", env: { API_KEY: key } });
    const config = JSON.stringify({
      mcpServers: { "a b": server("k1"), "a-b": server("k2"), é: server("k3"), è: server("k4") },
    });
    const plan = planOf(config, [
      ["/mcpServers/a b/env/API_KEY", "k1"],
      ["/mcpServers/a-b/env/API_KEY", "k2"],
      ["/mcpServers/é/env/API_KEY", "k3"],
      ["/mcpServers/è/env/API_KEY", "k4"],
    ]);
    const ids = plan.configs[0]?.entries.map(({ id }) => id) ?? [];
    expect(new Set(ids).size).toBe(4);
    expect(ids[1]).toBe("claude-desktop/a-b");
    for (const id of ids) expect(id).toMatch(/^[\w./~-]+$/);
  });
});

describe("references written by hand", () => {
  it("get the launcher, which alone can resolve them", () => {
    const config = JSON.stringify({ mcpServers: { s: { command: "x", env: { K: "mcp-secret://local/a/b" } } } });
    const after = JSON.parse(rewritten(config, planOf(config, [])));
    expect(after.mcpServers.s.args).toEqual(["run", "--entry", "claude-desktop/s", "--", "x"]);
    expect(after.mcpServers.s.env).toEqual({ K: "mcp-secret://local/a/b" });
  });
});

describe("what no program can be started with", () => {
  it.each([
    ["NUL", "a\0b"],
    ["half a surrogate pair", "a\ud800"],
  ])("%s: the entry is left", (_, value) => {
    const config = JSON.stringify({ mcpServers: { s: { command: "x", env: { K: value } } } });
    const plan = planOf(config, [["/mcpServers/s/env/K", value]]);
    expect(plan.configs[0]).toMatchObject({ edits: [], findings: [{ left: expect.stringMatching(/character/) }] });
  });
});

describe("a secret inside a longer text", () => {
  const at = (text: string, secret: string, more = {}) => {
    const config = JSON.stringify({ mcpServers: { s: { command: "x", args: [text] } } });
    const plan = planOf(config, [["/mcpServers/s/args/0", secret, { name: "token", ...more }]]);
    return { after: JSON.parse(rewritten(config, plan)).mcpServers.s.args.at(-1), plan };
  };

  it("leaves what stands around it", () => {
    expect(at("Authorization: Bearer abc", "abc").after).toBe("Authorization: Bearer mcp-secret://local/s/token");
  });

  it("names the field where a slash follows, which would be read as part of the path", () => {
    expect(at("https://h/abc/mcp", "abc").after).toBe("https://h/mcp-secret://local/s/token#value/mcp");
  });

  it("takes the whole text where letters follow", () => {
    const { after, plan } = at("abcdef", "abc");
    expect(after).toBe("mcp-secret://local/s/token");
    expect(plan.secrets.map(({ value }) => value.expose())).toContain("abcdef");
  });

  it("stores the decoded password of a URL", () => {
    const { plan } = at("mysql://u:p%40ss@h/db", "p%40ss", { encoded: true });
    expect(plan.secrets.map(({ value }) => value.expose())).toEqual(["p@ss"]);
  });

  it("stores the spelling of a password that is spelled otherwise than we would", () => {
    const { after, plan } = at("mysql://u:p%e9ss@h/db", "p%e9ss", { encoded: true });
    expect(after).toBe("mysql://u:mcp-secret://local/s/token#value~raw@h/db");
    expect(plan.secrets.map(({ value }) => value.expose())).toEqual(["p%e9ss"]);
  });

  it("says that it will be in the process list", () => {
    expect(at("--token=abc", "abc").plan.configs[0]?.findings[0]).toMatchObject({ argvVisible: true });
  });
});

describe("an argument whose server reads it elsewhere", () => {
  const argvOf = (command: string, args: string[], spot: [number, string], interpolates = false) => {
    const config = JSON.stringify({ mcpServers: { s: { command, args } } });
    const input = inputOf(config, [[`/mcpServers/s/args/${spot[0]}`, spot[1], { name: "password", encoded: true }]]);
    const plan = makePlan([{ ...input, interpolates }], [], { store: "local", launcher: LAUNCHER });
    const entry = JSON.parse(rewritten(config, plan)).mcpServers.s;
    return { args: entry.args.slice(4), env: entry.env, finding: plan.configs[0]?.findings[0] };
  };

  it.each([
    ["behind the image", "docker", ["run", "--rm", "img", "server", "-e", "K=abc"], 5],
    ["behind --", "docker", ["run", "--", "img", "-e", "K=abc"], 4],
    ["behind the image that follows an option with a value", "docker", ["run", "--name", "x", "img", "-e", "K=abc"], 5],
    ["behind an option that is not known", "docker", ["run", "--brand-new", "img", "-e", "K=abc"], 4],
    ["behind letters that are not known", "docker", ["run", "-iz", "img", "-e", "K=abc"], 4],
    ["in a container that runs", "docker", ["exec", "box", "run", "-e", "K=abc"], 4],
    ["as the value of another option", "docker", ["run", "--label", "-e", "K=abc", "img"], 3],
    ["of the client itself", "docker", ["run", "-e", "DOCKER_HOST=abc", "img"], 2],
    ["for psql in a container", "docker", ["run", "img", "psql", "postgresql://a:abc@db/c"], 3],
    ["for psql on another machine", "ssh", ["host", "psql", "postgresql://a:abc@db/c"], 2],
    ["for psql as another user", "sudo", ["psql", "postgresql://a:abc@db/c"], 1],
    ["for a program that only mentions psql", "x", ["--like", "psql", "postgresql://a:abc@db/c"], 2],
    ["for mcp-remote in a container", "docker", ["run", "img", "mcp-remote", "u", "--header", "X:abc"], 5],
  ] as const)("%s: no variable reaches it, so it stays", (_, command, args, spot) => {
    const { args: after, env, finding } = argvOf(command, [...args], [spot, "abc"]);
    expect(after).toEqual([command, ...args].map((word) => word.replace("abc", "mcp-secret://local/s/password")));
    expect(env).toBeUndefined();
    expect(finding).toMatchObject({ argvVisible: true });
  });

  it.each([
    ["letters together", ["run", "-it", "--rm", "-ie", "K=abc", "img"], 4, "K"],
    ["attached behind switches", ["run", "-iteK=abc", "img"], 1, "-iteK"],
    [
      "behind options with values",
      ["-H", "u", "run", "-v", "/a:/b", "--name=x", "-p8:8", "--env", "K=abc", "img"],
      8,
      "K",
    ],
    ["of docker container run", ["container", "run", "--init=true", "-e", "K=abc", "img"], 4, "K"],
  ] as const)("docker, %s: moves", (_, args, spot, word) => {
    const { args: after, env } = argvOf("docker", [...args], [spot, "abc"]);
    expect(after).toEqual(["docker", ...args].with(spot + 1, word));
    expect(env).toEqual({ K: "mcp-secret://local/s/password" });
  });

  it.each([
    ["npx", ["-y", "mcp-remote@latest", "u", "--header", "X:abc"], 4],
    ["cmd", ["/c", "npx", "-y", "mcp-remote", "u", "--header", "X:abc"], 6],
    ["bun", ["x", "mcp-remote", "u", "--header", "X:abc"], 4],
    ["/usr/bin/mcp-remote", ["u", "--header", "X:abc"], 2],
  ] as const)("mcp-remote started by %s: moves", (command, args, spot) => {
    expect(argvOf(command, [...args], [spot, "abc"]).env).toEqual({ MCP_HEADER_X: "mcp-secret://local/s/password" });
  });

  it.each([
    ["docker", ["run", "-e", "K=abc", "img"], [2, "abc"], ["docker", "run", "-e", "K", "img"]],
    ["/usr/bin/podman", ["run", "--env=K=abc", "img"], [1, "abc"], ["/usr/bin/podman", "run", "--env=K", "img"]],
    ["docker", ["run", "-eK=abc", "img"], [1, "abc"], ["docker", "run", "-eK", "img"]],
  ] as const)("%s: the variable moves to the environment", (command, args, spot, expected) => {
    const { args: after, env, finding } = argvOf(command, [...args], [...spot]);
    expect(after).toEqual(expected);
    expect(env).toEqual({ K: "mcp-secret://local/s/password" });
    expect(finding).toMatchObject({ argvVisible: false, movedTo: "K" });
  });

  it("keeps what stands around the secret in a container's variable", () => {
    const { env } = argvOf("docker", ["run", "-e", "URL=redis://u:abc@h/0", "img"], [2, "abc"]);
    expect(env).toEqual({ URL: "redis://u:mcp-secret://local/s/password@h/0" });
  });

  it("PostgreSQL: the password leaves the URL for PGPASSWORD", () => {
    const url = "postgresql://admin:P@ss@db:5432/c";
    const { args, env } = argvOf("npx", ["-y", "@modelcontextprotocol/server-postgres@0.6.2", url], [2, "P@ss"]);
    expect(args.at(-1)).toBe("postgresql://admin@db:5432/c");
    expect(env).toEqual({ PGPASSWORD: "mcp-secret://local/s/password" });
  });

  it("a server that is not known to read PGPASSWORD keeps its URL", () => {
    const { args, env } = argvOf("my-server", ["postgresql://a:pw1@db/c"], [0, "pw1"]);
    expect(args.at(-1)).toBe("postgresql://a:mcp-secret://local/s/password@db/c");
    expect(env).toBeUndefined();
  });

  it("mcp-remote: a header takes its value from the environment", () => {
    const words = ["-y", "mcp-remote", "https://h/mcp", "--header", "X-Api-Key:abc"];
    const { args, env } = argvOf("npx", words, [4, "abc"]);
    expect(args.at(-1)).toBe("X-Api-Key:${MCP_HEADER_X_API_KEY}");
    expect(env).toEqual({ MCP_HEADER_X_API_KEY: "mcp-secret://local/s/password" });
  });

  it("mcp-remote under a client that expands ${…} itself: the reference stays in the header", () => {
    const words = ["-y", "mcp-remote", "https://h/mcp", "--header", "X-Api-Key:abc"];
    expect(argvOf("npx", words, [4, "abc"], true).env).toBeUndefined();
  });

  it("a variable that the entry has already is not overwritten", () => {
    const config = JSON.stringify({
      mcpServers: { s: { command: "docker", args: ["run", "-e", "K=abc"], env: { K: "o" } } },
    });
    const plan = planOf(config, [["/mcpServers/s/args/2", "abc"]]);
    expect(JSON.parse(rewritten(config, plan)).mcpServers.s.env).toEqual({ K: "o" });
  });

  it("two headers of one name do not meet in one variable", () => {
    const args = ["run", "-e", "K=abc", "-e", "K=def", "img"];
    const config = JSON.stringify({ mcpServers: { s: { command: "docker", args } } });
    const plan = planOf(config, [
      ["/mcpServers/s/args/2", "abc"],
      ["/mcpServers/s/args/4", "def"],
    ]);
    expect(JSON.parse(rewritten(config, plan)).mcpServers.s.env).toEqual({ K: "mcp-secret://local/s/2" });
  });
});

describe("an entry that starts no process", () => {
  it("is left, and the finding says why", () => {
    const config = JSON.stringify({ mcpServers: { r: { url: "https://h/mcp?key=abc" } } });
    const plan = planOf(config, [["/mcpServers/r/url", "abc", { place: "url" }]]);
    expect(plan.configs[0]).toMatchObject({ edits: [], entries: [] });
    expect(plan.configs[0]?.findings[0]?.left).toMatch(/remote/);
    expect(plan.secrets).toEqual([]);
  });
});
