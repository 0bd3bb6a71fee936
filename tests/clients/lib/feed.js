// A WebSocket of JSON-RPC without any client: calls, and the notifications of subscriptions in the order they came.
"use strict";

const WebSocket = require("ws");

class Feed {
  /// Connects.
  static async open(url) {
    const feed = new Feed();
    feed.socket = new WebSocket(url, { perMessageDeflate: false });
    feed.waiting = new Map();
    feed.heard = new Map();
    feed.last = 0;
    await new Promise((resolve, reject) => feed.socket.on("open", resolve).on("error", reject));
    feed.socket.on("message", (data) => feed.received(JSON.parse(data)));
    return feed;
  }

  received(message) {
    if (message.id === undefined) return this.of(message.params.subscription).push(message.params.result);
    const { resolve, reject } = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    return message.error
      ? reject(Object.assign(new Error(message.error.message), message.error))
      : resolve(message.result);
  }

  /// What a subscription has sent.
  of(subscription) {
    if (!this.heard.has(subscription)) this.heard.set(subscription, []);
    return this.heard.get(subscription);
  }

  call(method, ...params) {
    const id = (this.last += 1);
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  /// Subscribes, and returns the array that fills.
  async subscribe(method, ...params) {
    return this.of(await this.call(method, ...params));
  }

  close() {
    this.socket.terminate();
  }
}

module.exports = { Feed };
