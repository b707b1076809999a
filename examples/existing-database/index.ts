// Takes over a database that was there before, with its owner and a role. First by an import, which changes nothing:
//   pulumi config set importOnly true && pulumi up && pulumi config rm importOnly && pulumi up
import * as pulumi from "@pulumi/pulumi";
import * as pgstack from "pgstack";

const config = new pulumi.Config();

const instance = new pgstack.Instance("main", {
  host: config.require("host"),
  port: config.requireNumber("port"),
  adminPassword: config.requireSecret("adminPassword"),
  sslMode: "disable", // a server on this machine
});

const legacy = new pgstack.Database("legacy", {
  instance,
  name: "legacy",
  owner: "legacy_owner",
  roles: [{ name: "legacy_reader", access: "readonly" }],
  passwords: { legacy_owner: config.requireSecret("ownerPassword") },
  migrations: { directory: "db" },
  adopt: {
    importOnly: config.getBoolean("importOnly") ?? false,
    roles: ["legacy_owner", "legacy_reader"],
  },
});

export const { head } = legacy;
