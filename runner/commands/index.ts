import type { Verb } from "../cli/command.ts";

type Load = () => Promise<{ default: Verb }>;

/** Verbs for people, by name; each is loaded only when it is called, so that a start stays quick. */
export const verbs: Record<string, Load> = {
  adopt: () => import("./adopt.ts"),
  backups: () => import("./backups.ts"),
  cutover: () => import("./cutover.ts"),
  doctor: () => import("./doctor.ts"),
  downgrade: () => import("./downgrade.ts"),
  dump: () => import("./dump.ts"),
  psql: () => import("./psql.ts"),
  repair: () => import("./repair.ts"),
  restore: () => import("./restore.ts"),
  revision: () => import("./revision.ts"),
  roles: () => import("./roles.ts"),
  status: () => import("./status.ts"),
  upgrade: () => import("./upgrade.ts"),
};

/** Verbs that a stack's resources and the entry script call; most read JSON from standard input. */
export const resourceVerbs: Record<string, Load> = {
  answers: () => import("../verbs/answers.ts"),
  "cutover-check": () => import("../verbs/cutover-check.ts"),
  "cutover-complete": () => import("../verbs/cutover-complete.ts"),
  "cutover-copy": () => import("../verbs/cutover-copy.ts"),
  "cutover-freeze": () => import("../verbs/cutover-freeze.ts"),
  "cutover-or-back": () => import("../verbs/cutover-or-back.ts"),
  "cutover-pause": () => import("../verbs/cutover-pause.ts"),
  "cutover-prepare": () => import("../verbs/cutover-prepare.ts"),
  "cutover-rehearse": () => import("../verbs/cutover-rehearse.ts"),
  "cutover-resume": () => import("../verbs/cutover-resume.ts"),
  "cutover-thaw": () => import("../verbs/cutover-thaw.ts"),
  "cutover-verify": () => import("../verbs/cutover-verify.ts"),
  "database-state": () => import("../verbs/database-state.ts"),
  "dump-delete": () => import("../verbs/dump-delete.ts"),
  "dump-ensure": () => import("../verbs/dump-ensure.ts"),
  "instance-ensure": () => import("../verbs/instance-ensure.ts"),
  "instance-remove": () => import("../verbs/instance-remove.ts"),
  "pending-operations": () => import("../verbs/pending-operations.ts"),
  "restore-check": () => import("../verbs/restore-check.ts"),
  "restore-ensure": () => import("../verbs/restore-ensure.ts"),
  "stack-facts": () => import("../verbs/stack-facts.ts"),
  "password-generate": () => import("../verbs/password-generate.ts"),
  "rights-check": () => import("../verbs/rights-check.ts"),
  "role-grants": () => import("../verbs/role-grants.ts"),
  "role-probe": () => import("../verbs/role-probe.ts"),
  "roles-probe": () => import("../verbs/roles-probe.ts"),
  "role-retire": () => import("../verbs/role-retire.ts"),
  "migration-revert": () => import("../verbs/migration-revert.ts"),
  "migrations-check": () => import("../verbs/migrations-check.ts"),
  "migrations-apply": () => import("../verbs/migrations-apply.ts"),
  "migrations-read": () => import("../verbs/migrations-read.ts"),
  "migrations-target": () => import("../verbs/migrations-target.ts"),
  "url-password": () => import("../verbs/url-password.ts"),
};
