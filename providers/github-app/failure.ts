import type { HttpAnswer, HttpFailure } from "../../src/core/http.ts";
import { type ErrorCode, UserError } from "../../src/errors.ts";

const CODE_OF_KIND: Record<HttpFailure["kind"], ErrorCode> = {
  network: "store-unavailable",
  timeout: "store-timeout",
  untrusted: "store-untrusted",
  garbage: "store-answer",
};

/** No usable answer. */
export function failureToError(store: string, what: string, { kind, reason }: HttpFailure): UserError {
  const hint =
    kind === "untrusted"
      ? `set stores.${store}.caFile to the authority of the server, or mend its certificate`
      : `check the network, then: mcp-secrets store check ${store}`;
  return new UserError(CODE_OF_KIND[kind], `store ${store}: ${what}: ${reason}`, { hint });
}

/** An answer that is a refusal. */
export function refusal(store: string, what: string, answer: HttpAnswer): UserError {
  const { code, hint } = meaning(store, answer);
  const said = saidBy(answer);
  return new UserError(code, `store ${store}: ${what}: ${answer.status}${said === "" ? "" : ` ${said}`}`, { hint });
}

function meaning(store: string, answer: HttpAnswer): { code: ErrorCode; hint: string } {
  const { status } = answer;
  const check = `mcp-secrets store check ${store}`;
  if (status === 429 || (status === 403 && /rate limit/i.test(answer.text))) {
    return { code: "store-busy", hint: "GitHub's rate limit: try again in some minutes" };
  }
  if (status === 401) {
    return {
      code: "store-login",
      hint: `the app, its private key or this machine's clock is wrong: see stores.${store}`,
    };
  }
  if (status === 403) return { code: "store-denied", hint: `the installation may be suspended: ${check}` };
  if (status === 404)
    return { code: "store-login", hint: `the app has no such installation: see stores.${store}.installation` };
  if (status === 422) {
    return {
      code: "refused",
      hint: `the installation has no such repository or permission: grant it in GitHub, or ask for less in stores.${store}.tokens`,
    };
  }
  if (status >= 500) return { code: "store-unavailable", hint: check };
  if (status >= 300 && status < 400) {
    return { code: "store-untrusted", hint: `it points elsewhere: set stores.${store}.endpoint to where the API is` };
  }
  return { code: "store-answer", hint: check };
}

/** What GitHub says is wrong, in one short line; what looks like a token is not passed on. */
function saidBy({ text }: HttpAnswer): string {
  const [, said = ""] = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
  return said
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .replaceAll(/[A-Za-z0-9_.-]{30,}/g, "…")
    .trim()
    .slice(0, 200);
}
