import * as v from "valibot";
import { ReviewedRights, RightsDeclaration } from "../config/role-declaration.ts";

/** One resource as Pulumi's preview plans it. Secrets stand as "[secret]". */
export interface EngineStep {
  /** As the engine says it: create, update, delete, replace, … */
  readonly operation: string;
  readonly type: string;
  readonly name: string;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  /** The inputs that differ. */
  readonly because: readonly string[];
}

/** What `pulumi preview` says of a stack: the one truth about what `up` does and refuses. */
export interface EnginePreview {
  /** Messages with which the preview failed; none where `up` would continue. */
  readonly refusals: readonly string[];
  /** Its warnings and what it tells. */
  readonly notes: readonly string[];
  /** Without what stays as it is. */
  readonly steps: readonly EngineStep[];
}

/** What the stack's state holds of its last update, secrets left out. */
export interface RecordedStack {
  /** Rights as they were declared; undefined before the first update, or where the state does not show them. */
  readonly rights: ReviewedRights | undefined;
}

const Wrapped = v.object({ request: v.string() });

/** The declaration that the stack's grants were last made from. @param stdin what their command was sent */
export function recordedRights(stdin: unknown): ReviewedRights | undefined {
  if (typeof stdin !== "string") return undefined; // a secret
  const parsed: unknown = JSON.parse(stdin);
  const wrapped = v.safeParse(Wrapped, parsed); // a cutover waits for the grants
  const found = v.safeParse(RightsDeclaration, wrapped.success ? JSON.parse(wrapped.output.request) : parsed);
  if (!found.success) return undefined;
  const { attributes, roles } = found.output;
  const memberOf = (role: string) => attributes.find((one) => one.role === role)?.memberOf ?? [];
  return v.parse(ReviewedRights, {
    ...found.output,
    roles: roles.map((one) => ({ ...one, memberOf: memberOf(one.role) })),
  });
}
