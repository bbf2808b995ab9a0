// A server that uses an AWS SDK: reads a secret again and again with what the SDK finds by itself, and says how it went.
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

const [, , endpoint, name, milliseconds] = process.argv;
const client = new SecretsManagerClient({ region: "eu-central-1", endpoint, maxAttempts: 1 });
const end = Date.now() + Number(milliseconds);
const keys = new Set();
const failures = [];
while (Date.now() < end) {
  try {
    await client.send(new GetSecretValueCommand({ SecretId: name }));
    keys.add((await client.config.credentials()).accessKeyId);
  } catch (error) {
    failures.push(`${error.name}: ${error.message}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
process.stdout.write(JSON.stringify({ keys: keys.size, failures }));
