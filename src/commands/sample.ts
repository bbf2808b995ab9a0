import { join } from "node:path";
import { customClient } from "../clients/table.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../errors.ts";
import { confirm } from "./confirm.ts";
import type { MigrateOptions } from "./migrate.ts";
import { runRestore } from "./restore.ts";

/** A server that says whether it got its key, without the key. */
const SERVER = "console.log(`sample server: started with an API_KEY of ${process.env.API_KEY.length} characters`)";

const CONFIG = {
  mcpServers: {
    mail: {
      command: "node",
      args: ["-e", SERVER],
      env: { API_KEY: "sample-8f2c41d07b9e4a6d93", SMTP_PASSWORD: "correct-horse-7" },
    },
    database: {
      command: "mcp-server-postgres",
      args: ["postgresql://app:P@ssw0rd-sample@localhost:5432/customers"],
    },
  },
};

/** How long the sample server may take, in milliseconds. */
const PATIENCE = 10_000;

type Migrate = (context: Context, options: MigrateOptions) => Promise<number>;

/**
 * The whole circle on made-up secrets, in a scratch folder: migrate, start a server through its entry, restore. For
 * who has no config yet. Every step that writes asks, as it does for real.
 */
export async function offerSample(context: Context, migrate: Migrate): Promise<number> {
  const folder = join(context.temporary, `mcp-secrets-sample-${context.random().slice(0, 8)}`);
  const question = `see it work on made-up secrets, in the scratch folder ${folder}? [y/N] `;
  if (!(await confirm(context, {}, question))) return EXIT.ok;
  const config = join(folder, "claude_desktop_config.json");
  const scratch: Context = { ...context, home: join(folder, ".mcp-secrets") };
  const show = (title: string) => context.terminal.out(`\n# ${title}\n${context.files.read(config).toString()}\n`);

  await context.files.writePrivate(config, `${JSON.stringify(CONFIG, null, 2)}\n`);
  show("a config with plaintext secrets");
  context.terminal.out(`$ mcp-secrets migrate --config ${config}\n`);
  const migrated = await migrate(scratch, { config: [config], store: "local" });
  if (context.files.look(scratch.home) === undefined) {
    context.files.remove(config);
    context.files.removeEmptyDir(folder);
    context.terminal.out(`${folder} is removed again\n`);
    return migrated;
  }
  show("the same config, migrated: references only, and each server starts through mcp-secrets run");
  context.terminal.out(`# the server mail, started as a client would start it\n${await start(scratch, config)}\n`);
  context.terminal.out(`$ mcp-secrets restore --config ${config}\n`);
  await runRestore(scratch, { config: [config] });
  show("the config at the end");
  context.terminal.out(`all of it is in ${folder}; remove the folder when you are done\n`);
  return migrated;
}

/** Starts the first entry of a config and returns what its server said. */
async function start(context: Context, config: string): Promise<string> {
  const { format, keyPath } = customClient;
  const [entry] = format.parse(context.files.read(config), keyPath).entries;
  const args = entry?.args.map(({ text }) => text) ?? [];
  const env = Object.fromEntries(entry?.env.map(({ name, text }) => [name, text]) ?? []);
  const { stdout, stderr } = await context.run(entry?.command?.text ?? "", args, PATIENCE, {
    ...context.env,
    ...env,
    MCPS_HOME: context.home,
  });
  return [stdout, stderr].filter((text) => text !== "").join("\n");
}
