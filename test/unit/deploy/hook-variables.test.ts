import { expect, test } from "vitest";
import { planDeployment } from "../../../generator/deploy/deployment.js";
import { completeSecretList, readSecretList } from "../../../generator/deploy/secret-list.js";
import { envFilesOf, wantedSecrets } from "../../../generator/deploy/secret-values.js";
import { readEnvironment } from "../../../generator/hook-reads/environment-reads.js";
import { compile, readMesh } from "../../support/compile.js";

/* Variables that hooks read: found in their files, offered by the list of secrets, given to their service alone. */

const read = (texts: Readonly<Record<string, string>>) =>
  readEnvironment("hooks/a.ts", { read: (path) => texts[path] });

test("members of env are found however they are written, through the project's own imports, and nothing in texts and comments", () => {
  expect(
    read({
      "hooks/a.ts": `
        import { mail } from "./mail.js";
        import { other } from "some-package";
        export * from "../lib/more.js";
        import type { X } from "../generated/a/events.js";
        // process.env.COMMENTED
        const text = "process.env.QUOTED";
        const { SPREAD, RENAMED: name } = process.env;
        const start = ({ env }) => [env.CONTEXT, env["ELEMENT"], process.env.HOME, process.env.lower, other.ENV];`,
      "hooks/mail.ts": `export const mail = process.env.MAIL_KEY ?? process.env?.MAIL_URL; import "./a.js";`,
      "lib/more.ts": "export const more = process.env.MORE;",
      "generated/a/events.ts": "process.env.GENERATED;",
    }),
  ).toEqual(["CONTEXT", "ELEMENT", "MAIL_KEY", "MAIL_URL", "MORE", "RENAMED", "SPREAD"]);
});

test("a file that is missing, or does not compile, breaks nothing", () => {
  expect(read({})).toEqual([]);
  expect(read({ "hooks/a.ts": "const half = process.env.HALF; const x = {{{" })).toEqual(["HALF"]);
});

test("the list offers what hooks read, switched off, once; what is switched on there reaches that service alone", () => {
  const deployment = planDeployment(
    compile(readMesh()),
    new Map([["compute", ["CONTAINER_CLUSTER", "KUBECONFIG"]]]),
  );
  const options = { mesh: "edd-cloud", environment: "production", make: () => "made" };
  const wanted = wantedSecrets(deployment, "compose");
  const first = completeSecretList(undefined, wanted, options);
  expect(first.offered).toEqual(["POSTGRES_ADDRESS", "CONTAINER_CLUSTER", "KUBECONFIG"]);
  expect(first.text).toContain("\n#CONTAINER_CLUSTER=none\n");
  expect(completeSecretList(first.text, wanted, options).offered).toEqual([]);
  const text = first.text
    .replace("#CONTAINER_CLUSTER=none", "CONTAINER_CLUSTER=in-cluster")
    .replace("#KUBECONFIG=", "KUBECONFIG=/k");
  const again = completeSecretList(text, wanted, options);
  expect(again.text).toBe(text);
  const files = envFilesOf(deployment, readSecretList(text), "kubernetes");
  expect(files["service-compute"]).toMatchObject({ CONTAINER_CLUSTER: "in-cluster", KUBECONFIG: "/k" });
  expect(files["service-auth"]).not.toHaveProperty("KUBECONFIG");
});
