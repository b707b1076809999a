import type { Command } from "../cli/command.ts";
import { jsonFlag, resolveAdminTarget, stackFacts, targetFlags } from "../cli/target.ts";
import type { ReviewedRights } from "../config/role-declaration.ts";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import {
  coloured,
  matrixOf,
  plain,
  renderDifferences,
  renderFiltered,
  renderMatrix,
} from "../roles/review/matrix.ts";
import { type Review, reviewRoles } from "../roles/review/review.ts";
import { declaredRoles } from "../roles/review/stack-roles.ts";
import { ExitCode } from "../util/errors.ts";

function asJson(
  { database }: ConnectionSettings,
  declared: ReviewedRights | undefined,
  review: Review,
): string {
  const roles = review.roles.map(({ rights, readableColumns, ...role }) => ({
    ...role,
    declared: declared?.roles.find((one) => one.role === role.name)?.access ?? null,
    owner: declared?.owner === role.name,
  }));
  return JSON.stringify({
    database,
    roles,
    matrix: matrixOf(review),
    differences: review.differences,
    rowSecurity: review.filtered,
  });
}

const roles: Command = {
  summary:
    "who may do what in a database, as the server sees it, and where that differs from what is declared",
  usage: "roles (--stack S | --url URL) [--json]",
  flags: { ...targetFlags, json: jsonFlag },
  stackWord: 0,
  run: async (call) => {
    const target = resolveAdminTarget(call);
    const declared = call.flags.stack === undefined ? undefined : declaredRoles(stackFacts(call));
    const owner = declared?.owner;
    const review = await withClient(target, (client) => reviewRoles(client, declared));
    if (call.flags.json === true) {
      call.print(asJson(target, declared, review));
    } else {
      const paint = call.terminal && call.env.NO_COLOR === undefined ? coloured : plain;
      const label = (name: string) =>
        name === owner
          ? "owner"
          : (declared?.roles.find(({ role }) => role === name)?.access ?? "(not declared)");
      for (const line of renderMatrix(review, label, paint)) call.print(line);
      for (const line of renderFiltered(review)) call.print(line);
      for (const line of renderDifferences(review, paint)) call.print(line);
    }
    return review.differences.length === 0 ? ExitCode.done : ExitCode.differs;
  },
};

export default roles;
