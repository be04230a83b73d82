"""Two nodes and the link between them."""

import json
import os
import shutil
import signal
import subprocess
import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


class Net:
    """A bridge with a leg to each node, each leg shaped; or nothing, and all on loopback."""

    def __init__(self):
        self.names, self.shaped, self.link = [], False, "loopback"
        self.tag = f"tw{os.getpid() % 10000}"
        if os.geteuid() == 0 and shutil.which("ip") and shutil.which("tc"):
            try:
                self.make()
                self.shaped = True
            except subprocess.CalledProcessError as error:
                say(f"no namespaces here ({error}); on loopback")
                self.link = "loopback"
                self.remove()

    def run(self, command):
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def make(self):
        self.run(f"ip link add {self.tag}b type bridge")
        self.run(f"ip addr add 10.211.7.254/24 dev {self.tag}b")
        self.run(f"ip link set {self.tag}b up")
        for number in (1, 2):
            name = f"{self.tag}n{number}"
            self.run(f"ip netns add {name}")
            self.names.append(name)
            self.run(f"ip link add {name} type veth peer name eth0 netns {name}")
            self.run(f"ip link set {name} master {self.tag}b up")
            self.run(f"ip netns exec {name} ip addr add 10.211.7.{number}/24 dev eth0")
            self.run(f"ip netns exec {name} ip link set eth0 up")
            self.run(f"ip netns exec {name} ip link set lo up")
            self.choose_congestion_control(name)
            self.shape(name)

    def choose_congestion_control(self, name):
        """One that goes by loss, as most hosts have it. BBR, where it is the default, empties the link for 0.2 s every ten
        seconds, which requests feel whatever the rate of a move is."""
        for control in ("cubic", "reno"):
            done = subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv4.tcp_congestion_control={control}"],
                                  stderr=subprocess.DEVNULL, check=False)
            if done.returncode == 0:
                return

    def shape(self, name):
        """0.1 ms on each way out are 0.2 there and back; a kernel without netem gets the rate alone."""
        on = f"ip netns exec {name} tc qdisc add dev eth0 root "
        try:
            self.run(on + "netem delay 0.1ms rate 1gbit limit 10000")
            self.link = "1 Gbit/s, 0.2 ms"
        except subprocess.CalledProcessError:
            self.run(on + "tbf rate 1gbit burst 256kb latency 50ms")
            self.link = "1 Gbit/s without delay (this kernel has no netem)"

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", f"{self.tag}b"], stderr=subprocess.DEVNULL)

    def address(self, number):
        return f"10.211.7.{number}:8080" if self.shaped else f"127.0.0.1:{18180 + number}"

    def command(self, number, command):
        return ["ip", "netns", "exec", f"{self.tag}n{number}"] + command if self.shaped else command


class Cluster:
    def __init__(self, program, net, folder):
        self.program, self.net, self.nodes = program, net, []
        self.url = f"http://{net.address(1)}"
        for number in (1, 2):
            command = [program, "serve", "--name", f"n{number}", "--listen", net.address(number), "--data",
                       f"{folder}/n{number}", "--cores", "1"]
            if net.shaped:
                command.append("--insecure")
            if number == 2:
                command += ["--join", self.url]
            with open(f"{folder}/n{number}.log", "w", encoding="utf-8") as log:
                node = subprocess.Popen(net.command(number, command), stdout=subprocess.PIPE, stderr=log, text=True)
            self.nodes.append(node)
            if not node.stdout.readline().startswith("ready"):
                raise RuntimeError(f"node n{number} does not start; see its log: "
                                   + open(f"{folder}/n{number}.log", encoding="utf-8").read()[-500:])

    def stop(self):
        for node in reversed(self.nodes):
            node.send_signal(signal.SIGTERM)
        for node in self.nodes:
            node.wait(timeout=60)

    def call(self, *arguments):
        """The load is to measure the nodes, and not how it waits for a processor that they share with it."""
        first = ["nice", "-n", "-20"] if os.geteuid() == 0 else []
        done = subprocess.run([*first, self.program, *arguments, "--server", self.url, "-o", "json"], capture_output=True,
                              text=True, check=False)
        if done.returncode not in (0, 1) or not done.stdout:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout)
