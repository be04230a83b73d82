// A TCP proxy that flips one bit in about one of `every` bytes, in both directions.
import { connect, createServer } from "node:net";

export class FlippingProxy {
  // To an address of this machine; nothing is flipped until `every` is set.
  static async start(host, port, seed = 1) {
    const proxy = new FlippingProxy();
    proxy.every = 0;
    proxy.flipped = 0;
    proxy.state = seed;
    proxy.sockets = new Set();
    proxy.server = createServer((client) => {
      const server = connect(port, host);
      proxy.join(client, server);
      proxy.join(server, client);
    });
    await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
    return proxy;
  }

  // A linear congruential generator: the same flips for the same bytes.
  random(bound) {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * bound);
  }

  join(from, to) {
    this.sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => {
      if (this.every > 0)
        for (let at = 0; at < bytes.length; at++)
          if (this.random(this.every) === 0) {
            bytes[at] ^= 1 << this.random(8);
            this.flipped++;
          }
      if (!to.write(bytes)) {
        from.pause();
        to.once("drain", () => from.resume());
      }
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }

  stop() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
