import type { Fields } from "../../../core/provider.ts";
import { type Contract, type Json, listAt, memberAt, textAt } from "./contract.ts";

/** Vendors that let two keys live side by side: a new one is made, tested, and then the old one is deleted. */

const value = (credential: Fields, name = "value") => credential[name]?.expose() ?? "";
const bearer = (credential: Fields) => ({ authorization: `Bearer ${value(credential)}` });
const DAY = 86_400_000;

export const openai: Contract = {
  title: "OpenAI key of a service account",
  class: "O",
  source:
    "https://developers.openai.com/api/reference/resources/admin/subresources/organization/subresources/projects/subresources/service_accounts/subresources/api_keys/methods/create",
  right: "an admin key with api.management.write",
  origin: "https://api.openai.com",
  settings: { project: /^proj_[A-Za-z0-9]+$/, serviceAccount: /^[A-Za-z0-9_-]+$/ },
  manager: "admin",
  auth: bearer,
  // A year (31,536,000 s).
  expiry: { most: 365 },
  scopes: "may",
  mint: {
    method: "POST",
    path: "/v1/organization/projects/{project}/service_accounts/{serviceAccount}/api_keys",
    by: "manager",
    body: ({ values, scopes, expires, now }) => ({
      type: "json",
      value: {
        name: values.name,
        ...(scopes.length > 0 && { scopes }),
        ...(expires !== undefined && { expires_in_seconds: Math.round((expires.getTime() - now.getTime()) / 1000) }),
      },
    }),
  },
  fields: { value: ["value"], id: ["id"] },
  test: { method: "GET", path: "/v1/models", by: "itself" },
  retire: {
    call: { method: "DELETE", path: "/v1/organization/projects/{project}/api_keys/{id}", by: "manager" },
    list: {
      method: "GET",
      path: "/v1/organization/projects/{project}/api_keys?limit=100",
      by: "manager",
      items: ["data"],
      id: ["id"],
      name: ["name"],
      next: (answer) => {
        const last = textAt(answer, ["last_id"]);
        return memberAt(answer, ["has_more"]) === true && last !== undefined ? { after: last } : undefined;
      },
    },
  },
};

export const sendgrid: Contract = {
  title: "SendGrid API key",
  class: "O",
  source: "https://www.twilio.com/docs/sendgrid/api-reference/api-keys/create-api-keys",
  right: "scopes api_keys.create, api_keys.read, api_keys.delete, and every scope that the new key gets",
  origin: "https://api.sendgrid.com",
  settings: {},
  manager: "either",
  auth: bearer,
  // Without them the new key might do everything.
  scopes: "must",
  mint: {
    method: "POST",
    path: "/v3/api_keys",
    by: "manager",
    body: ({ values, scopes }) => ({ type: "json", value: { name: values.name, scopes } }),
  },
  fields: { value: ["api_key"], id: ["api_key_id"] },
  test: { method: "GET", path: "/v3/scopes", by: "itself" },
  rights: ["scopes"],
  retire: {
    call: { method: "DELETE", path: "/v3/api_keys/{id}", by: "manager" },
    // SG.ID.SECRET
    idOf: (credential) => /^SG\.([A-Za-z0-9_-]{22})\./.exec(value(credential))?.[1],
    list: {
      method: "GET",
      path: "/v3/api_keys",
      by: "manager",
      items: ["result"],
      id: ["api_key_id"],
      name: ["name"],
    },
  },
};

export const datadog: Contract = {
  title: "Datadog API key",
  class: "O",
  source: "https://docs.datadoghq.com/api/latest/key-management/",
  right: "an application key of a user with api_keys_write and api_keys_read, and an API key beside it",
  origin: "https://api.datadoghq.com",
  settings: {},
  manager: "admin",
  auth: (credential) => ({
    "dd-api-key": value(credential, "api_key"),
    "dd-application-key": value(credential, "application_key"),
  }),
  mint: {
    method: "POST",
    path: "/api/v2/api_keys",
    by: "manager",
    body: ({ values }) => ({
      type: "json",
      value: { data: { type: "api_keys", attributes: { name: values.name } } },
    }),
  },
  fields: { value: ["data", "attributes", "key"], id: ["data", "id"] },
  test: {
    method: "GET",
    path: "/api/v1/validate",
    by: "itself",
    headers: (credential) => ({ "dd-api-key": value(credential) }),
  },
  // It answers 403 to a key that it does not know.
  judge: (status, answer) => {
    if (status === 403) return { type: "rejected" };
    return status === 200 && memberAt(answer, ["valid"]) !== true ? { type: "rejected" } : undefined;
  },
  retire: {
    call: { method: "DELETE", path: "/api/v2/api_keys/{id}", by: "manager" },
    list: {
      method: "GET",
      path: "/api/v2/api_keys?page[size]=100&filter={name}",
      by: "manager",
      items: ["data"],
      id: ["id"],
      name: ["attributes", "name"],
    },
  },
};

const basic = (credential: Fields) => {
  const pair = `${value(credential, "sid")}:${value(credential, "secret")}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
};

export const twilio: Contract = {
  title: "Twilio API key",
  class: "O",
  source: "https://www.twilio.com/docs/iam/api-keys/key-resource-v1",
  right: "a main key, which only the console makes",
  origin: "https://iam.twilio.com",
  settings: { account: /^AC[0-9a-f]{32}$/ },
  manager: "admin",
  auth: basic,
  mint: {
    method: "POST",
    path: "/v1/Keys",
    by: "manager",
    body: ({ values }) => ({
      type: "form",
      value: { AccountSid: values["account"] ?? "", FriendlyName: values.name, KeyType: "standard" },
    }),
  },
  fields: { sid: ["sid"], secret: ["secret"] },
  // A standard key may not ask about accounts and keys.
  test: {
    method: "GET",
    origin: "https://api.twilio.com",
    path: "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json?PageSize=1",
    by: "itself",
  },
  retire: {
    call: { method: "DELETE", path: "/v1/Keys/{id}", by: "manager" },
    idOf: (credential) => credential["sid"]?.expose(),
    list: {
      method: "GET",
      path: "/v1/Keys?AccountSid={account}&PageSize=100",
      by: "manager",
      items: ["keys"],
      id: ["sid"],
      name: ["friendly_name"],
      next: (answer) => queryOf(textAt(answer, ["meta", "next_page_url"])),
    },
  },
};

export const cloudflare: Contract = {
  title: "Cloudflare API token of a user",
  class: "O",
  source: "https://developers.cloudflare.com/fundamentals/api/how-to/create-via-api/",
  right: "User, API Tokens, Edit",
  origin: "https://api.cloudflare.com",
  settings: {},
  manager: "either",
  auth: bearer,
  expiry: { most: 3650 },
  like: { method: "GET", path: "/client/v4/user/tokens/{id}", by: "manager" },
  mint: {
    method: "POST",
    path: "/client/v4/user/tokens",
    by: "manager",
    body: ({ values, like, expires }) => ({
      type: "json",
      value: {
        name: values.name,
        ...sameRights(like),
        ...(expires !== undefined && { expires_on: new Date(Math.floor(+expires / DAY) * DAY).toISOString() }),
      },
    }),
  },
  fields: { value: ["result", "value"], id: ["result", "id"] },
  failed: (answer) =>
    memberAt(answer, ["success"]) === true ? undefined : { what: "it answers without success", maybe: true },
  test: { method: "GET", path: "/client/v4/user/tokens/verify", by: "itself" },
  // It answers 400 to what does not look like a token, and 200 to one that is disabled.
  judge: (status, answer) => {
    if (status === 400) return { type: "rejected" };
    return status === 200 && textAt(answer, ["result", "status"]) !== "active" ? { type: "rejected" } : undefined;
  },
  retire: {
    call: { method: "DELETE", path: "/client/v4/user/tokens/{id}", by: "manager" },
    ask: { method: "GET", path: "/client/v4/user/tokens/verify", by: "itself", id: ["result", "id"] },
    list: {
      method: "GET",
      path: "/client/v4/user/tokens?per_page=50",
      by: "manager",
      items: ["result"],
      id: ["id"],
      name: ["name"],
      next: (answer) => {
        const page = memberAt(answer, ["result_info", "page"]);
        const pages = memberAt(answer, ["result_info", "total_pages"]);
        return typeof page === "number" && typeof pages === "number" && page < pages
          ? { page: String(page + 1) }
          : undefined;
      },
    },
  },
};

/** The policies of the old token, and from where it may be used, without what only an answer has. */
function sameRights(like: Json): Readonly<Record<string, Json>> {
  const condition = memberAt(like, ["result", "condition"]);
  return {
    policies: listAt(like, ["result", "policies"]).map((policy) => ({
      effect: memberAt(policy, ["effect"]),
      resources: memberAt(policy, ["resources"]),
      permission_groups: listAt(policy, ["permission_groups"]).map((group) => ({ id: memberAt(group, ["id"]) })),
    })),
    ...(condition !== undefined && condition !== null && { condition }),
  };
}

/** What follows `?` in the address of the next page: the host that it names is not asked. */
function queryOf(url: string | undefined): Readonly<Record<string, string>> | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  return Object.fromEntries(new URL(url).searchParams);
}
