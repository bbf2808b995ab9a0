import { createHash, createHmac } from "node:crypto";
import { request } from "node:http";
import type { AwsServer } from "./aws.ts";

/** Users, roles and their policies, through the query protocol of IAM, as root. */
export interface Iam {
  /** A user with that policy, and the keys to it. */
  user(name: string, policy: unknown): Promise<{ readonly id: string; readonly secret: string; readonly arn: string }>;
  /** A role with that policy that whoever is named in `trust` may assume; its ARN. */
  role(name: string, policy: unknown, trust: unknown): Promise<string>;
  /** Gives a user another policy. */
  setUserPolicy(name: string, policy: unknown): Promise<void>;
}

export function iamOf(aws: AwsServer): Iam {
  const ask = (action: string, parameters: Readonly<Record<string, string>>) =>
    signed(aws.address, { Action: action, Version: "2010-05-08", ...parameters });
  const setUserPolicy = async (name: string, policy: unknown) => {
    const document = JSON.stringify(policy);
    await ask("PutUserPolicy", { UserName: name, PolicyName: "p", PolicyDocument: document });
  };
  return {
    setUserPolicy,
    async user(name, policy) {
      await ask("CreateUser", { UserName: name });
      await setUserPolicy(name, policy);
      const keys = await ask("CreateAccessKey", { UserName: name });
      const arn = `arn:aws:iam::${aws.account}:user/${name}`;
      return { id: textIn(keys, "AccessKeyId"), secret: textIn(keys, "SecretAccessKey"), arn };
    },
    async role(name, policy, trust) {
      const made = await ask("CreateRole", { RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust) });
      await ask("PutRolePolicy", { RoleName: name, PolicyName: "p", PolicyDocument: JSON.stringify(policy) });
      return textIn(made, "Arn");
    },
  };
}

function textIn(xml: string, tag: string): string {
  const found = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1];
  if (found === undefined) throw new Error(`no ${tag} in the answer`);
  return found;
}

/** A POST that is signed with Signature Version 4 in the name of root (`test`). */
function signed(address: string, parameters: Readonly<Record<string, string>>): Promise<string> {
  const body = new URLSearchParams(parameters).toString();
  const host = address.slice("http://".length);
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const scope = `${time.slice(0, 8)}/us-east-1/iam/aws4_request`;
  const type = "application/x-www-form-urlencoded";
  const names = "content-type;host;x-amz-date";
  const canonical = `POST\n/\n\ncontent-type:${type}\nhost:${host}\nx-amz-date:${time}\n\n${names}\n${sha(body)}`;
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha(canonical)}`;
  const key = scope.split("/").reduce<string | Buffer>((so, part) => mac(so, part), "AWS4test");
  const signature = mac(key, toSign).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=test/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return post(address, { "content-type": type, "x-amz-date": time, authorization }, body);
}

function post(address: string, headers: Readonly<Record<string, string>>, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(`${address}/`, { method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${response.statusCode} ${text}`));
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function sha(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
