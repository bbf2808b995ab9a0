import type { Finding, ResolveRequest } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import type { AppParts } from "./scope.ts";
import { LEVELS, type TokenSettings } from "./settings.ts";
import { asObject } from "./tokens.ts";

/** What `store check` shows: who the app is, and whether the installation has what each token asks for. Makes nothing. */
export async function checkApp(parts: AppParts, request: ResolveRequest): Promise<readonly Finding[]> {
  const { store, settings } = parts;
  try {
    const { api, appToken: bearer, installation } = await parts.tokens();
    const ask = (path: string) => api.send({ method: "GET", path, bearer, unsure: 5 }, request);
    const app = asObject(await ask("/app"));
    const found = asObject(await ask(`/app/installations/${installation}`));
    const account = textIn(asObject(found["account"])["login"]);
    const suspended = found["suspended_at"] !== null && found["suspended_at"] !== undefined;
    return [
      { ok: true, what: `logged in as the app ${textIn(app["slug"])}` },
      { ok: !suspended, what: `installation ${installation} at ${account}${suspended ? " is suspended" : ""}` },
      ...Object.entries(settings.tokens).map(([path, token]) => checkToken(path, token, found)),
    ];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [{ ok: false, what: error.message, remedy: error.hint ?? `see stores.${store} in config.jsonc` }];
  }
}

/** Whether a repository is among the installation's is told only when a token is made. */
function checkToken(
  path: string,
  { permissions }: TokenSettings,
  installation: Readonly<Record<string, unknown>>,
): Finding {
  const has = asObject(installation["permissions"]);
  const rank = (level: unknown) => LEVELS.findIndex((each) => each === level);
  const missing = Object.entries(permissions).filter(([name, level]) => rank(has[name]) < rank(level));
  if (missing.length === 0) return { ok: true, what: `token ${path}: the installation has what it asks for` };
  const text = missing.map(([name, level]) => `${name}: ${level}`).join(", ");
  return {
    ok: false,
    what: `token ${path}: the installation has not ${text}`,
    remedy: "add it under Permissions & events of the app, and have the owner of the installation accept it",
  };
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 100) : "unknown";
}
