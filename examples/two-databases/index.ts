// Two databases on one server. The role metabase is declared by the first, and has rights in both.
import * as pgstack from "pgstack";

const instance = new pgstack.LocalInstance("dev");

const shop = new pgstack.Database("shop", {
  instance,
  name: "shop",
  owner: "shop_owner",
  extensions: ["citext"],
  roles: [
    { name: "shop_app", access: "readwrite" },
    { name: "metabase", access: "readonly", exclude: ["users.email"] },
  ],
  migrations: { directory: "db/shop" },
});

const crm = new pgstack.Database("crm", {
  instance,
  name: "crm",
  owner: "crm_owner",
  roles: [{ name: "metabase", access: "readonly", shared: true }],
  migrations: { directory: "db/crm" },
});

export const heads = { shop: shop.head, crm: crm.head };
export const shopUrl = shop.urls.apply((urls) => urls.shop_app);
export const metabaseUrls = [shop.urls, crm.urls].map((urls) => urls.apply(({ metabase }) => metabase));
