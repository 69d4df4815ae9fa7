import { afterAll, inject } from "vitest";
import { dropDatabases } from "./servers.js";

// Runs after the file's own hooks, which close what they opened.
afterAll(() => dropDatabases(inject("postgres")));
