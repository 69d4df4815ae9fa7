import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { type DeployTarget, deployTargets } from "../deploy/deploy-targets.js";
import { STATE_FOLDER } from "../dev/endpoints.js";
import { type ExportFormat, exportFormats } from "../export/export-formats.js";
import { graphFormats } from "../graph/formats.js";
import { UsageError } from "../project/usage-error.js";
import { print, tell } from "../terminal/terminal.js";
import type { ExitCode } from "./exit-code.js";

/**
 * Every command, its options and its help. What a command does is loaded when it runs: `mesh --help`
 * and an up-to-date `mesh generate` must not wait for a compiler or a database driver.
 */
export function buildProgram(version: string, finish: (code: ExitCode) => void): Command {
  const program = new Command("mesh")
    .description("One mesh.yaml becomes typed services on NATS JetStream and PostgreSQL.")
    .version(version, "-V, --version", "print the version of this package")
    .option("-C, --directory <folder>", "run as if started there, where mesh.yaml is")
    .showHelpAfterError("(mesh --help says what there is)")
    .exitOverride()
    .configureOutput({ writeOut: (text) => print(text.trimEnd()), writeErr: (text) => tell(text.trimEnd()) })
    .hook("preAction", (command) => {
      const { directory } = command.opts<{ directory?: string }>();
      if (directory !== undefined) enter(directory);
    })
    .addHelpText("after", "\nExit codes: 0 fine, 1 findings, 2 usage.");
  addAuthoring(program, finish);
  addAsking(program, finish);
  addRunning(program, finish);
  addProving(program, finish);
  addOperating(program, finish);
  addDeadLetters(program, finish);
  return program;
}

function enter(directory: string): void {
  try {
    process.chdir(directory);
  } catch (cause) {
    throw new UsageError(`there is no folder ${directory}`, undefined, { cause });
  }
}

type Finish = (code: ExitCode) => void;

function addAuthoring(program: Command, finish: Finish): void {
  program.commandsGroup("To write a mesh:");
  program
    .command("init")
    .description("start a new mesh in this folder; never overwrites")
    .action(async () => finish(await (await import("./commands/init.js")).init()));
  program
    .command("adopt")
    .description(
      "write the tables of a PostgreSQL database that exists into mesh.yaml; what is there stays as it is",
    )
    .argument("<database>", "its URL, or the file that `pg_dump --schema-only` wrote")
    .option("--service <name>", "the service that owns them (default: the database's name)")
    .option("--tables <names>", "only these, parted by commas: users,sales.orders")
    .option("--json", "print what was taken and left out as JSON")
    .action(async (database: string, options) =>
      finish(await (await import("./commands/adopt.js")).adopt(database, options)),
    );
  program
    .command("generate")
    .description("compile mesh.yaml into generated/")
    .option("--check", "write nothing; exit 1 and name the files that are not up to date")
    .addOption(new Option("--watch", "again after every change of mesh.yaml").conflicts("check"))
    .option("--allow-destructive", "let migrations drop tables and columns, and their data")
    .addOption(
      new Option(
        "--take-back <migrations...>",
        "plan anew, as if these and what follows them had never been; only what no commit has",
      ).conflicts(["check", "watch"]),
    )
    .option("--force", "emit also when mesh.yaml and the generator's version are those of the last run")
    .option("--json", "print what was done, or the diagnostics, as JSON")
    .action(async (options) => finish(await (await import("./commands/generate.js")).generate(options)));
  program
    .command("check")
    .description("print what is wrong with mesh.yaml, and what is hardly meant so; writes nothing")
    .option("--strict", "exit 1 for a warning too")
    .addOption(
      new Option("--json", "print the diagnostics as JSON, ignored ones with the reason").conflicts([
        "sarif",
        "github",
      ]),
    )
    .addOption(new Option("--sarif", "print them as SARIF 2.1.0, for code scanning").conflicts("github"))
    .option("--github", "print them as annotations of a GitHub workflow")
    .action(async (options) => finish(await (await import("./commands/check.js")).check(options)));
  program
    .command("graph")
    .description("draw mesh.yaml: who hears whom, what is copied, what deletions take with them")
    .option(
      "--focus <what>",
      "only what a service, an entity or an event reaches: auth, auth.user, auth.user.deleted",
    )
    .addOption(new Option("--format <format>", "of the picture").choices(graphFormats).default("svg"))
    .action(async (options) => finish(await (await import("./commands/graph.js")).graph(options)));
  program
    .command("export")
    .description(
      "print mesh.yaml as other tools read it: AsyncAPI, OpenAPI, JSON Schemas, Backstage's catalog, claims of NATS accounts",
    )
    .addArgument(new Argument("<format>", "of the document").choices(exportFormats))
    .option("--service <name>", "only what this service sends, receives and serves")
    .option("--out <folder>", "write files there, one for each service or event (default: standard output)")
    .option("--owner <name>", "backstage: who owns it all (default: unknown)")
    .action(async (format: ExportFormat, options) =>
      finish(await (await import("./commands/export.js")).exportMesh(format, options)),
    );
}

function addAsking(program: Command, finish: Finish): void {
  program.commandsGroup("To ask it:");
  const json = ["--json", "print it as JSON"] as const;
  program
    .command("impact")
    .description(
      "whom a part of the mesh concerns: every copy, rule, check, resource and hook that it reaches",
    )
    .argument("<what>", "a service, subject, entity, field, table, column or path: auth.users.display_name")
    .option(...json)
    .action(async (what: string, options) =>
      finish(await (await import("./commands/impact.js")).impact(what, options)),
    );
  program
    .command("explain")
    .description(
      "everything that follows from an event, or what a code of a diagnostic or a kind of change means",
    )
    .argument("<what>", "auth.user.deleted, unknown-subject, field-removed")
    .option(...json)
    .action(async (what: string, options) =>
      finish(await (await import("./commands/explain.js")).explain(what, options)),
    );
  addDiff(program, finish);
}

function addDiff(program: Command, finish: Finish): void {
  const forms = ["json", "sarif", "github", "markdown"] as const;
  const form = (name: (typeof forms)[number], description: string) =>
    new Option(`--${name}`, description).conflicts(forms.filter((other) => other !== name));
  program
    .command("diff")
    .description(
      "say whom the edits of mesh.yaml hurt, what they run and lock, and who deploys first; exit 1 when one breaks something",
    )
    .option("--against <what>", "a git ref, another mesh.yaml, or a mesh.lock.json", "HEAD")
    .option(
      "--fail-on <classes>",
      "exit 1 on these, parted by commas, or on none (see docs/compatibility.md)",
    )
    .addOption(form("json", "print it as JSON"))
    .addOption(form("sarif", "print it as SARIF 2.1.0, for code scanning"))
    .addOption(form("github", "print it as annotations of a GitHub workflow"))
    .addOption(form("markdown", "print it as a comment for a pull request"))
    .action(async (options) => finish(await (await import("./commands/diff.js")).diff(options)));
}

function addRunning(program: Command, finish: Finish): void {
  program.commandsGroup("To run it:");
  program
    .command("dev")
    .description("bring up everything from nothing: broker, databases, migrations, all services")
    .option("--fresh", "forget all data of earlier runs first")
    .addOption(new Option("--quiet", "print warnings and errors of services alone").conflicts("verbose"))
    .option("--verbose", "print every line of theirs with all its fields, level debug included")
    .option("--free-ports", "give every service a free port, even where its declared one is free")
    .addOption(new Option("--state <folder>", "where data is kept between runs").default(STATE_FOLDER))
    .action(async (options) => finish(await (await import("./commands/dev.js")).dev(options)));
  program
    .command("run")
    .description("run one generated service, configured by environment variables alone")
    .argument("<service>", "its name in mesh.yaml")
    .action(async (service: string) => finish(await (await import("./commands/run.js")).run(service)));
  program
    .command("provision")
    .description(
      "make the mesh's streams and durables on the broker, which services under least privilege may not",
    )
    .option("--replicas <n>", "of a new stream for which mesh.yaml says no number (default 3)", replicas)
    .option("--json", "print the result as JSON")
    .action(async (options) => finish(await (await import("./commands/provision.js")).provision(options)));
  program
    .command("credentials")
    .description(
      "make keys and JWTs for a broker with decentralised authentication: accounts, and a .creds file for each service",
    )
    .option("--out <folder>", "where keys are kept between runs, and files are written", "credentials")
    .option("--rotate <user>", "give this service (or mesh_operator) a new key, and revoke the former one")
    .option("--json", "print what was written as JSON")
    .action(async (options) =>
      finish(await (await import("./commands/credentials.js")).credentials(options)),
    );
  program
    .command("migrate")
    .description(
      "bring databases to the newest migration as their owners, and grant the services' roles what they need",
    )
    .argument("[service]", "only this one's database")
    .option("--dry-run", "apply nothing: print what would run")
    .option("--json", "print the result as JSON")
    .action(async (service: string | undefined, options) =>
      finish(await (await import("./commands/migrate.js")).migrate(service, options)),
    );
  program
    .command("deploy")
    .description(
      "write what runs the mesh in production: image, jobs, services, secrets; your own files there stay as they are; exit 1 when a secret is to be filled in, or no image comes of the project",
    )
    .addArgument(new Argument("<target>", "where it runs").choices(deployTargets))
    .option("--env <name>", "the environment, with secrets and settings of its own", "production")
    .option("--out <folder>", "where it is written", "deploy")
    .option("--check", "write nothing; exit 1 and name the files that are not up to date")
    .option("--json", "print what was done as JSON")
    .action(async (target: DeployTarget, options) =>
      finish(await (await import("./commands/deploy.js")).deploy(target, options)),
    );
  addDetach(program, finish);
}

function addDetach(program: Command, finish: Finish): void {
  program
    .command("detach")
    .description("take every trace of the mesh from a service's database that existed before; its rows stay")
    .argument("<service>", "whose database; stop it first")
    .option("--drop-events", "also where events have not been published")
    .option("--drop-tables", "also tables that the mesh made, with their rows; copies go anyway")
    .option("--json", "print what was removed as JSON")
    .action(async (service: string, options) =>
      finish(await (await import("./commands/detach.js")).detach(service, options)),
    );
}

function replicas(text: string): number {
  if (/^[1-5]$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a whole number from 1 to 5.");
}

function addProving(program: Command, finish: Finish): void {
  program.commandsGroup("To prove it:");
  program
    .command("simulate")
    .description(
      "play the mesh, hooks included, under adversarial schedules on a real PostgreSQL; exit 1 when a promise is broken",
    )
    .option("--runs <n>", "how many schedules", "100")
    .option("--seed <n>", "of the schedules; a failure names it (default: another each time)")
    .option("--path <path>", "with --seed: play the one schedule again that a failure named")
    .option("--trace <file>", "write every step of a failing schedule to this file")
    .option("--json", "print the result as JSON")
    .action(async (options) => finish(await (await import("./commands/simulate.js")).simulate(options)));
}

function addFollowing(program: Command, finish: Finish): void {
  program
    .command("trace")
    .description(
      "where an entity or an event is, from its row to each copy, and what it caused; exit 1 when something is stuck, dead or missing",
    )
    .argument("<what>", "an entity, auth.user, or the id of an event")
    .argument("[id]", "the id of the entity")
    .option("--json", "print it as JSON")
    .action(async (what: string, id: string | undefined, options) =>
      finish(await (await import("./commands/trace.js")).trace(what, id, options)),
    );
  program
    .command("tail")
    .description("what flows from now on, with who has applied it and how late; Ctrl-C ends it")
    .argument("[subject]", "only these: auth.user.*, or a NATS filter")
    .option("--service <name>", "only what this service publishes or hears")
    .option("--json", "print each event as a line of JSON")
    .action(async (subject: string | undefined, options) =>
      finish(await (await import("./commands/tail.js")).tail(subject, options)),
    );
}

function addOperating(program: Command, finish: Finish): void {
  program.commandsGroup("To operate it:");
  program
    .command("status")
    .description(
      "streams, consumers, outboxes, caches and dead letters of a running mesh; exit 1 when something waits for a person",
    )
    .option("--json", "print it as JSON")
    .action(async (options) => finish(await (await import("./commands/status.js")).status(options)));
  program
    .command("verify")
    .description("compare every cache with its source, row by row; exit 1 and name the rows that differ")
    .argument("[service]", "only this one's caches")
    .option("--json", "print the result as JSON")
    .action(async (service: string | undefined, options) =>
      finish(await (await import("./commands/verify.js")).verify(service, options)),
    );
  addFollowing(program, finish);
  program
    .command("resync")
    .description(
      "rebuild a service's caches from their sources, cascades of missed deletions included; exit 1 while something differs",
    )
    .argument("<service>")
    .option(
      "--trust-source",
      "take the source's word over later versions that are known here, as after a forged event",
    )
    .option("--json", "print the result as JSON")
    .action(async (service: string, options) =>
      finish(await (await import("./commands/resync.js")).resync(service, options)),
    );
  program
    .command("lower-versions")
    .description(
      "bring a service's version counters back that a forged event has put where nothing counts; then resync its subscribers",
    )
    .argument("<service>", "the owner, whose events are refused")
    .option("--json", "print the result as JSON")
    .action(async (service: string, options) =>
      finish(await (await import("./commands/lower-versions.js")).lowerVersions(service, options)),
    );
}

function addDeadLetters(program: Command, finish: Finish): void {
  const dlq = program
    .command("dlq")
    .description("events that could not be applied: read them, try them again, or let them go");
  const json = ["--json", "print it as JSON"] as const;
  const load = () => import("./commands/dlq.js");
  dlq
    .command("list")
    .description("the dead letters; exit 1 when there are any")
    .argument("[service]")
    .option("--settled", "those that were redriven or discarded: by whom, when and why")
    .option(...json)
    .action(async (service: string | undefined, options) =>
      finish(await (await load()).list(service, options)),
    );
  dlq
    .command("show")
    .description("one dead letter whole: headers, body, error")
    .argument("<service>")
    .argument("<id>")
    .option(...json)
    .action(async (service: string, id: string, options) =>
      finish(await (await load()).show(service, id, options)),
    );
  for (const [name, description] of [
    ["redrive", "apply them again, in their order"],
    ["discard", "let them go, body and all; a record stays"],
  ] as const) {
    dlq
      .command(name)
      .description(description)
      .argument("<service>")
      .argument("[ids...]")
      .option("--all", "every dead letter of the service")
      .option("--why <text>", "for the record")
      .option("--by <name>", "who does it, for the record (default: user@host of this session)")
      .option(...json)
      .action(async (service: string, ids: string[], options) =>
        finish(await (await load())[name](service, ids, options)),
      );
  }
}
