import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { beforeEach, test } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { createProvider } from "../../components/instance.ts";
import { type Administrator, connectionUrl } from "../../components/parts/connection.ts";
import { declareDatabase } from "../../components/parts/contents.ts";
import { Names } from "../../components/parts/names.ts";
import { LoginRole, type LoginRoleArgs } from "../../components/roles/login-role.ts";
import { projectPath } from "../../runner/util/project.ts";

type Inputs = Record<string, unknown>;

/** The inputs of each resource that was declared, by its type and name. */
const declared = new Map<string, Inputs>();

await pulumi.runtime.setMocks({
  newResource: ({ type, name, inputs }) => {
    declared.set(`${type} ${name}`, inputs);
    return { id: name, state: { ...inputs, stdout: '{"password":"generated","version":1}' } };
  },
  call: ({ inputs }) => inputs,
});
beforeEach(() => declared.clear());

const inputsOf = (key: string) => declared.get(key) as Inputs;
const settled = (...outputs: pulumi.Output<unknown>[]) =>
  new Promise<void>((resolve) => pulumi.all(outputs).apply(() => resolve()));

const administrator = (host: string): Administrator => ({
  host: pulumi.output(host),
  port: pulumi.output(5432),
  user: pulumi.output("admin"),
  password: pulumi.secret("pw"),
  database: pulumi.output("postgres"),
  sslMode: pulumi.output("disable"),
  sslRootCert: undefined,
});

test("an IPv6 address goes to the provider in brackets, and nothing else does", async () => {
  const parent = new pulumi.ComponentResource("test:index:Parent", "parent");
  for (const [host, sent] of [
    ["::1", "[::1]"],
    ["127.0.0.1", "127.0.0.1"],
    ["db.internal", "db.internal"],
  ] as const) {
    const provider = createProvider("postgresql", administrator(host), parent);
    await settled(provider.urn);
    assert.equal(inputsOf("pulumi:providers:postgresql postgresql").host, sent);
  }
});

test("a URL names no file of this checkout, and the provider gets one for a certificate that is text", async () => {
  const login = { user: "owner", password: "pw", database: "app" };
  const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  const parent = new pulumi.ComponentResource("test:index:Parent", "parent");
  for (const [certificate, parameter, sent] of [
    [pem, "", /^\.pgstack\/certificates\/[0-9a-f]{16}\.pem$/],
    ["certs/ca.pem", "", /^certs\/ca\.pem$/],
    ["/etc/ca.pem", "&sslrootcert=%2Fetc%2Fca.pem", /^\/etc\/ca\.pem$/],
    ["system", "&sslrootcert=system", /^system$/],
  ] as const) {
    const server = { ...administrator("h"), sslRootCert: pulumi.output(certificate as string) };
    const url = await new Promise((resolve) => connectionUrl(server, login).apply(resolve));
    assert.equal(url, `postgresql://owner:pw@h:5432/app?sslmode=disable${parameter}`);
    const provider = createProvider("postgresql", server, parent);
    await settled(provider.urn);
    const path = inputsOf("pulumi:providers:postgresql postgresql").sslrootcert as string;
    assert.match(path, sent);
    if (certificate === pem) rmSync(projectPath(path));
  }
});

async function roleInputs(args: LoginRoleArgs): Promise<Inputs> {
  const { role } = new LoginRole(args.settings.name, args);
  await settled(role.urn);
  return inputsOf(`postgresql:index/role:Role ${args.settings.name}-role`);
}

test("the provider is given whole milliseconds, a verifier, and the end of a password as the server writes it", async () => {
  const settings = {
    name: "reader",
    connectionLimit: -1,
    statementTimeout: 30_000,
    validUntil: "2040-01-31T00:00:00Z",
  };
  const instants = Promise.resolve({ "2040-01-31T00:00:00Z": "2040-01-31 09:00:00+09" });
  const sent = await roleInputs({ settings, password: "back\\slash", instants });
  assert.equal(sent.statementTimeout, 30_000);
  assert.equal(sent.idleInTransactionSessionTimeout, 0);
  assert.equal(sent.validUntil, "2040-01-31 09:00:00+09");
  assert.match(JSON.stringify(sent.password), /SCRAM-SHA-256\$4096:[^\\]+"/);
  const unasked = await roleInputs({ settings, password: "x", instants: Promise.resolve({}) });
  assert.equal(unasked.validUntil, "2040-01-31 00:00:00+00");
});

test("a database and its schemas name nothing that would be an update of what was imported", async () => {
  const owner = new LoginRole("owner", { settings: { name: "owner" }, password: "x" });
  const config = { name: "shop", owner: "owner", schemas: ["public"], extensions: ["citext"] };
  const parent = new pulumi.ComponentResource("test:index:Parent", "database");
  const empty = {
    names: new Names("database"),
    config,
    owner: owner.role,
    instance: undefined,
    connection: { variables: {}, reference: () => ({}) },
    protect: false,
    adopted: true,
    importOnly: true,
  };
  const { contents } = declareDatabase(empty, { parent });
  await settled(...contents.map(({ urn }) => urn));
  const keys = (key: string) =>
    Object.keys(inputsOf(key))
      .filter((name) => inputsOf(key)[name] !== undefined)
      .sort();
  assert.deepEqual(keys("postgresql:index/schema:Schema schema-public"), ["database", "name", "owner"]);
  assert.deepEqual(keys("postgresql:index/extension:Extension extension-citext"), ["database", "name"]);
  assert.deepEqual(keys("postgresql:index/database:Database database-shop"), [
    ...["encoding", "lcCollate", "lcCtype", "name", "owner", "template"],
  ]);
});
