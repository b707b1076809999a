// An application that starts once its database has its tables, its role and its rights.
import { local } from "@pulumi/command";
import * as pgstack from "pgstack";

const instance = new pgstack.LocalInstance("dev");

const shop = new pgstack.Database("shop", {
  instance,
  name: "shop",
  owner: "shop_owner",
  roles: [{ name: "shop_app", access: "readwrite" }],
  migrations: { directory: "db" },
});

const url = shop.urls.apply((urls) => urls.shop_app ?? "");

// stands for a container or a service; it gets the URL as a secret variable
const app = new local.Command(
  "app",
  { create: "node app.js", environment: { DATABASE_URL: url }, logging: "none" },
  { dependsOn: shop.ready },
);

export const answer = app.stdout;
