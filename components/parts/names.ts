/** The name that the database of a checkout's stack has; its resources keep the names that they had before there was a package. */
const checkoutName = "database";

/** A role's or a schema's name within a resource's: quoted where a dash would make `a-b` in `c` and `a` in `b-c` the same. */
const inName = (name: string) => (name.includes("-") ? `"${name}"` : name);

/** The names of a database's resources in the state: the component's name comes first, so that several databases share a stack. */
export class Names {
  readonly #component: string;

  constructor(component: string) {
    this.#component = component;
  }

  /** Whether the resources have the names of a stack that a checkout made. */
  get isCheckout(): boolean {
    return this.#component === checkoutName;
  }

  /** @param part what the resource is among those of the database, such as `migrations` */
  of(part: string): string {
    return this.isCheckout ? part : `${this.#component}-${part}`;
  }

  /** The name of what belongs to a role. @param rest what follows the role's name, with its dash */
  ofRole(role: string, rest = ""): string {
    return this.isCheckout ? `${role}${rest}` : `${this.#component}-${inName(role)}${rest}`;
  }
}
