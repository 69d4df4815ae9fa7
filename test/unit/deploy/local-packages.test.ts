import { validate as validateDockerfile } from "dockerfile-utils";
import { expect, test } from "vitest";
import { localPackages } from "../../../generator/project/local-packages.js";
import { compile, readMesh } from "../../support/compile.js";
import { deployed } from "../../support/deployed.js";

const lock = JSON.stringify({
  packages: {
    "": { name: "shop" },
    "node_modules/nats": { resolved: "https://registry.npmjs.org/nats/-/nats-2.29.3.tgz" },
    "node_modules/meshwright": { resolved: "file:vendor/b.tgz", dev: true },
    "node_modules/@meshwright/runtime": { resolved: "file:vendor/a.tgz" },
    "node_modules/elsewhere": { resolved: "file:../packed/c.tgz" },
    "node_modules/absolute": { resolved: "file:/packed/d.tgz" },
    "node_modules/sibling": { resolved: "../sibling", link: true },
    "node_modules/hooks": { resolved: "packages/hooks", link: true },
    "node_modules/plain": { resolved: "packages/plain", link: true },
  },
});

test("file: dependencies of package-lock.json: inside of the folder, outside of it, and folders that are no workspaces", () => {
  expect(localPackages(lock, ["./packages/hooks/"])).toEqual({
    tarballs: ["vendor/a.tgz", "vendor/b.tgz"],
    outside: ["../packed/c.tgz", "../sibling", "/packed/d.tgz"],
    folders: ["packages/plain"],
  });
  expect(() => localPackages("{", [])).toThrow("package-lock.json is not JSON");
});

test("the Dockerfile copies file: dependencies ahead of each npm ci", () => {
  const { Dockerfile = "" } = deployed(compile(readMesh()), "compose", {
    tarballs: ["vendor/a.tgz", "vendor/b.tgz"],
  });
  const ahead = "COPY vendor/a.tgz vendor/b.tgz vendor/\nRUN npm ci";
  expect(Dockerfile.split(ahead)).toHaveLength(3);
});

test("a path with a blank stands in the form of COPY that has quotes", () => {
  const { Dockerfile = "" } = deployed(compile(readMesh()), "compose", {
    tarballs: ["my vendor/a b.tgz", "vendor/c.tgz"],
  });
  const ahead = 'COPY ["my vendor/a b.tgz","my vendor/"]\nCOPY vendor/c.tgz vendor/\nRUN npm ci';
  expect(Dockerfile.split(ahead)).toHaveLength(3);
  expect(validateDockerfile(Dockerfile).filter(({ severity }) => severity === 1)).toEqual([]);
});

test("what COPY would take for a pattern or a variable stands for itself", () => {
  const { Dockerfile = "" } = deployed(compile(readMesh()), "compose", {
    tarballs: ["vendor/a[1]*$x.tgz", "$y/b c?.tgz"],
  });
  expect(Dockerfile).toContain("COPY vendor/a[[]1][*]\\$x.tgz vendor/\n");
  expect(Dockerfile).toContain('COPY ["\\\\$y/b c[?].tgz","\\\\$y/"]\n');
  expect(validateDockerfile(Dockerfile).filter(({ severity }) => severity === 1)).toEqual([]);
});
