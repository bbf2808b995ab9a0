import type { Context } from "../context.ts";
import type { Fields } from "../core/provider.ts";
import { formatRef } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { printable } from "../core/table.ts";
import { findFormats } from "../detect/formats.ts";
import { UserError } from "../errors.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import type { HumanTarget } from "../rotate/target.ts";
import { askedFields } from "../rotate/targets/human.ts";
import { vendorOf } from "../rotate/targets/pages.ts";
import { HUMAN } from "./rotate-one.ts";
import { fieldsOf, openTarget, type World } from "./rotation.ts";

type Guide = ReturnType<HumanTarget["guide"]>;

/** The page and the steps, numbered: for one person, or for a ticket of a team. */
export async function guideText(world: World, given: RotatedSecret): Promise<string> {
  const secret = await withVendor(world, given);
  const target = await openTarget(world, secret);
  const name = wholeName(secret.ref);
  const owner = secret.owner === undefined ? "" : `owner: ${secret.owner}\n`;
  if (target.kind !== "human") return `${name}\n${owner}mcp-secrets rotate ${name} does it (${secret.target})\n`;
  const { page, steps } = target.guide({ ref: secret.ref });
  const lines = steps.map((step, at) => `${at + 1}. ${printable(step)}\n`).join("");
  return `${name}\n${owner}${page === undefined ? "" : `page: ${page}\n`}${lines}`;
}

/**
 * Class H: opens the page, and takes the new value without echo. All of the secret's fields, the others as they were.
 * @throws UserError usage where nobody can be asked, or nothing was given
 */
export async function askPerson(world: World, asked: RotatedSecret): Promise<Fields> {
  const secret = await withVendor(world, asked);
  const { context } = world;
  const { terminal } = context;
  const name = wholeName(secret.ref);
  if (!terminal.inIsTty) {
    throw new UserError("usage", `${name} is rotated by a person, and stdin is not a terminal`, {
      hint: `mcp-secrets rotate ${name} --guide tells what to do; mcp-secrets set ${name} takes the value from a pipe`,
    });
  }
  const current = await fieldsOf(world, secret.ref);
  const target = await openTarget(world, secret);
  if (target.kind === "human") await present(context, target.guide({ ref: secret.ref }));
  const given: Record<string, Secret> = {};
  for (const field of askedFields(name, secret.settings)) {
    const value = await terminal.askHidden(`new value of ${formatRef({ ...secret.ref, field })}: `);
    if (value === undefined || value === "") throw new UserError("usage", `no value was given: ${name} is as it was`);
    given[field] = new Secret(value);
  }
  if (Object.entries(given).every(([field, value]) => current[field]?.equals(value) === true)) {
    throw new UserError("usage", `that is the value that ${name} has: nothing is changed`);
  }
  return { ...current, ...given };
}

/**
 * Where no settings say it, the value itself may tell whose it is. Only the page is taken from that: to send a value
 * anywhere is for the settings to say.
 */
async function withVendor(world: World, secret: RotatedSecret): Promise<RotatedSecret> {
  if (secret.target !== HUMAN || Object.keys(secret.settings).length > 0) return secret;
  const fields = await fieldsIfThere(world, secret);
  const kinds = Object.values(fields).flatMap((value) => findFormats(value.expose()).map(({ kind }) => kind));
  const vendor = kinds.flatMap((kind) => vendorOf(kind) ?? [])[0];
  if (vendor === undefined) return secret;
  return { ...secret, settings: { page: vendor.page, steps: [`at ${vendor.name}: ${vendor.how}`] } };
}

async function fieldsIfThere(world: World, { ref }: RotatedSecret): Promise<Fields> {
  try {
    return await fieldsOf(world, ref);
  } catch (error) {
    if (error instanceof UserError) return {};
    throw error;
  }
}

async function present(context: Context, { page, steps }: Guide): Promise<void> {
  const lines = steps.map((step, at) => `${at + 1}. ${printable(step)}\n`).join("");
  context.terminal.err(page === undefined ? lines : `page: ${page}\n${lines}`);
  if (page !== undefined) await openPage(context, page);
}

const OPEN_TIMEOUT = 10_000;

/** What opens a page on each platform; only with somebody at the terminal. Where it fails, the page is told anyway. */
async function openPage({ platform, run, env }: Context, page: string): Promise<void> {
  if (platform === "win32") await run("rundll32.exe", ["url.dll,FileProtocolHandler", page], OPEN_TIMEOUT);
  else if (platform === "darwin") await run("open", [page], OPEN_TIMEOUT);
  else if (env["DISPLAY"] !== undefined || env["WAYLAND_DISPLAY"] !== undefined)
    await run("xdg-open", [page], OPEN_TIMEOUT);
}
