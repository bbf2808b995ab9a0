import { type ErrorCode, systemCode, UserError } from "../../src/errors.ts";

/** What a failure is told with. */
export interface Call {
  readonly operation: string;
  /** The name of a secret or a role; empty where there is none. */
  readonly target: string;
  /** What was sent and must not come back in a message. */
  readonly hidden?: string | undefined;
}

/** What is wrong, by the names that the services and the SDK have for it. */
type Kind =
  | "missing"
  | "deleted"
  | "exists"
  | "denied"
  | "key"
  | "login"
  | "expired"
  | "clock"
  | "throttled"
  | "quota"
  | "refused"
  | "replica"
  | "unavailable"
  | "timeout"
  | "untrusted"
  | "garbage";

const KIND_OF_NAME: Readonly<Record<string, Kind>> = {
  ResourceNotFoundException: "missing",
  ResourceExistsException: "exists",
  AccessDeniedException: "denied",
  AccessDenied: "denied",
  UnauthorizedOperation: "denied",
  DecryptionFailure: "key",
  EncryptionFailure: "key",
  UnrecognizedClientException: "login",
  InvalidClientTokenId: "login",
  InvalidClientTokenIdException: "login",
  SignatureDoesNotMatch: "login",
  InvalidSignatureException: "login",
  IncompleteSignature: "login",
  IncompleteSignatureException: "login",
  MissingAuthenticationToken: "login",
  MissingAuthenticationTokenException: "login",
  CredentialsProviderError: "login",
  TokenProviderError: "expired",
  ExpiredToken: "expired",
  ExpiredTokenException: "expired",
  RequestExpired: "clock",
  RequestTimeTooSkewed: "clock",
  RequestInTheFuture: "clock",
  ThrottlingException: "throttled",
  Throttling: "throttled",
  ThrottledException: "throttled",
  TooManyRequestsException: "throttled",
  RequestLimitExceeded: "throttled",
  SlowDown: "throttled",
  LimitExceededException: "quota",
  TimeoutError: "timeout",
  AbortError: "timeout",
  RequestTimeout: "timeout",
  RequestTimeoutException: "timeout",
  SyntaxError: "garbage",
};

/** Network errors of Node, which the SDK may have put into a TimeoutError. */
const NETWORK = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPIPE",
  "EPROTO",
]);

export function isTransient(error: unknown): boolean {
  return new Set<Kind>(["throttled", "unavailable", "timeout", "clock"]).has(kindOf(error));
}

function kindOf(error: unknown): Kind {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  const said = messageOf(error);
  const code = systemCode(error);
  if (code !== undefined && NETWORK.has(code)) return "unavailable";
  if (code !== undefined && /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_)/.test(code)) return "untrusted";
  if (/Signature (expired|not yet current)/i.test(said)) return "clock";
  if (/marked (for deletion|deleted)|scheduled for deletion/i.test(said)) return "deleted";
  if (name === "InvalidRequestException") return /replica/i.test(said) ? "replica" : "refused";
  const known = Object.hasOwn(KIND_OF_NAME, name) ? KIND_OF_NAME[name] : undefined;
  if (known === "denied" && /\bkms\b/i.test(said)) return "key";
  if (known === "login" && /expired|\bsso\b/i.test(said)) return "expired";
  return known ?? kindOfStatus(statusOf(error));
}

function kindOfStatus(status: number | undefined): Kind {
  if (status === undefined) return "garbage";
  if (status === 429) return "throttled";
  if (status >= 500) return "unavailable";
  if (status === 403) return "denied";
  return status >= 400 ? "refused" : "garbage";
}

const CODE_OF_KIND: Record<Kind, ErrorCode> = {
  missing: "secret-not-found",
  deleted: "secret-deleted",
  exists: "secret-exists",
  denied: "store-denied",
  key: "store-key",
  login: "store-login",
  expired: "store-login",
  clock: "store-login",
  throttled: "store-busy",
  quota: "cannot-write",
  refused: "refused",
  replica: "refused",
  unavailable: "store-unavailable",
  timeout: "store-timeout",
  untrusted: "store-untrusted",
  garbage: "store-answer",
};

/**
 * A failure as the user is told it: the operation, the name, what the service says, and nothing of the SDK's error
 * object, which holds headers. An error that is ours already, or a bug, stays what it is.
 */
export function failureToError(store: string, call: Call, error: unknown): unknown {
  if (error instanceof UserError) return error;
  const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  if (isBug && systemCode(error) === undefined) return error;
  return errorOf(store, call, { kind: kindOf(error), said: saidBy(error, call) });
}

/** One entry of `Errors` in the answer to a batch. */
export function batchError(
  store: string,
  entry: { readonly name: string; readonly code: string; readonly message: string },
): UserError {
  const error = Object.assign(new Error(entry.message), { name: entry.code });
  return errorOf(
    store,
    { operation: "BatchGetSecretValue", target: entry.name },
    { kind: kindOf(error), said: plain(entry.message) },
  );
}

function errorOf(store: string, call: Call, { kind, said }: { kind: Kind; said: string }): UserError {
  const where = call.target === "" ? call.operation : `${call.operation} ${call.target}`;
  const message = kind === "missing" ? `store ${store} has no ${call.target}` : `store ${store}: ${where}: ${said}`;
  return new UserError(CODE_OF_KIND[kind], message, { hint: hintFor(kind, store, call) });
}

function hintFor(kind: Kind, store: string, call: Call): string {
  const check = `mcp-secrets store check ${store}`;
  const hints: Record<Kind, string> = {
    missing: "store it with mcp-secrets set, or look with: mcp-secrets list",
    deleted: `bring it back with: aws secretsmanager restore-secret --secret-id ${call.target}`,
    exists: "look at what is there now, then try again",
    denied: `see which right is missing: ${check}`,
    key: "the KMS key is disabled, deleted or not ours to use: look at it with aws kms describe-key",
    login: `aws configure, or set stores.${store}.profile in config.jsonc; then: ${check}`,
    expired: `log in again: aws sso login, with the --profile of the store; then: ${check}`,
    clock: "set this machine's clock: AWS takes no request that is off by more than five minutes",
    throttled: "try again in a few seconds",
    quota: "remove versions or secrets that nobody needs, or have the quota raised",
    refused: check,
    replica: `set stores.${store}.region to the secret's primary region: a replica only reads`,
    unavailable: `check the network and the region, then: ${check}`,
    timeout: `check the network and the region, then: ${check}`,
    untrusted: `something else than AWS answers there: check stores.${store}.endpoint in config.jsonc`,
    garbage: `something else than AWS answers there: check stores.${store}.endpoint in config.jsonc`,
  };
  return hints[kind];
}

function saidBy(error: unknown, call: Call): string {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "failure";
  const message = messageOf(error);
  const mayTell = call.hidden === undefined || !tells(message, call.hidden);
  return plain(`${systemCode(error) ?? name}${mayTell ? `: ${message}` : ""}`);
}

/** A server might say back what it was sent, in any notation: a message with any word of it is not passed on. */
function tells(message: string, content: string): boolean {
  return [...content.matchAll(/[\p{L}\p{N}]{3,}/gu)].some(([word]) => message.includes(word));
}

/** One short line. */
function plain(text: string): string {
  return text
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 300);
}

function messageOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.message : "";
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}
