import { createHash, createHmac } from "node:crypto";
import { type Http, failureText } from "../../../core/http.ts";
import type { Secret } from "../../../core/secret.ts";

/** A key of AWS as requests are signed with it. */
export interface AwsKey {
  readonly id: string;
  readonly secret: Secret;
  /** Of a session. */
  readonly token?: Secret;
}

/** A service that speaks the query protocol: IAM, STS. */
export interface AwsService {
  readonly name: "iam" | "sts";
  /** Origin. */
  readonly endpoint: string;
  /** The region that requests are signed for. */
  readonly region: string;
  readonly version: string;
}

/** What became of one request. */
export type QueryOutcome =
  | { readonly type: "done"; readonly xml: string }
  /** The service says no, with its code and words. Nothing was done. */
  | { readonly type: "error"; readonly code: string; readonly message: string }
  /** No usable answer; `sent` where it may have been done all the same. */
  | { readonly type: "none"; readonly reason: string; readonly sent: boolean };

export interface QueryOptions {
  readonly http: Http;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

const TYPE = "application/x-www-form-urlencoded";
/** The service asks for patience, or for a clock that is right: the key was not judged. */
const NOT_JUDGED =
  /^(Throttl|RequestLimitExceeded|RequestExpired|RequestTimeTooSkewed|ServiceUnavailable|InternalFail)/;

/** Asks once, signed with Signature Version 4. */
export async function awsQuery(
  service: AwsService,
  key: AwsKey,
  parameters: Readonly<Record<string, string>>,
  { http, now, deadline, signal }: QueryOptions,
): Promise<QueryOutcome> {
  const body = new URLSearchParams({ Version: service.version, ...parameters }).toString();
  const url = new URL(service.endpoint);
  const headers = signedHeaders(key, { region: service.region, service: service.name, host: url.host, now, body });
  const call = { method: "POST", url: `${url.origin}/`, headers, body, deadline } as const;
  const answer = await http(signal === undefined ? call : { ...call, signal });
  if (answer.type === "failure") return { type: "none", reason: failureText(call.url, answer), sent: answer.sent };
  const { status, text } = answer;
  if (status === 200 && text.includes("Response")) return { type: "done", xml: text };
  const code = textIn(text, "Code");
  if (status >= 500 || code === undefined)
    return { type: "none", reason: `${url.host} answered with status ${status}`, sent: status >= 500 };
  const message = plain(textIn(text, "Message") ?? "");
  const unjudged = NOT_JUDGED.test(code) || /Signature (expired|not yet current)/i.test(message);
  return unjudged ? { type: "none", reason: code, sent: false } : { type: "error", code, message };
}

/** The text of the first element of that name: what we read of the services is flat, and has no entities in it. */
export function textIn(xml: string, tag: string): string | undefined {
  return new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1];
}

/** The members of a list, each as XML. */
export function membersIn(xml: string): string[] {
  return [...xml.matchAll(/<member>(.*?)<\/member>/gs)].map(([, member = ""]) => member);
}

interface Signing {
  readonly region: string;
  readonly service: string;
  readonly host: string;
  readonly now: number;
  readonly body: string;
}

/** Signature Version 4 of a POST of a form to `/` (docs.aws.amazon.com, "Create a signed AWS API request"). */
export function signedHeaders(
  key: AwsKey,
  { region, service, host, now, body }: Signing,
): Readonly<Record<string, string>> {
  const time = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const token = key.token === undefined ? {} : { "x-amz-security-token": key.token.expose() };
  const signed: Readonly<Record<string, string>> = { "content-type": TYPE, host, "x-amz-date": time, ...token };
  const names = Object.keys(signed).join(";");
  const lines = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`);
  const canonical = ["POST", "/", "", lines.join(""), names, sha(body)].join("\n");
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, sha(canonical)].join("\n");
  const root: string | Buffer = `AWS4${key.secret.expose()}`;
  const signature = mac(scope.split("/").reduce<string | Buffer>(mac, root), toSign).toString("hex");
  const credential = `${key.id}/${scope}`;
  return {
    "content-type": TYPE,
    "x-amz-date": time,
    ...token,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function sha(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** One short line. */
function plain(text: string): string {
  return text
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 200);
}
