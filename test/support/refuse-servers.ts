import net from "node:net";

/*
 * Unit tests start no server and talk to none: listening and connecting throw, so that a test which needs
 * PostgreSQL, a broker or HTTP is written where those are.
 */

function refuse(): never {
  throw new Error(
    "a unit test uses no server: move this test to test/runtime, test/migrations or test/e2e, whose runs have servers",
  );
}

net.Server.prototype.listen = refuse;
net.Socket.prototype.connect = refuse;
