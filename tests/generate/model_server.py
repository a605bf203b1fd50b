"""An OpenAI-compatible server on loopback that runs a model with transformers, one answer at a time.

    python model_server.py MODEL LOG HOLD GO

Prints its address. LOG gets a line for every text that was generated: its (prompt, seed). After HOLD texts requests wait
until the file GO is there; like vLLM, the server generates nothing for a client that is gone.
"""

import json
import select
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
import transformers


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self):
        size = int(self.headers["content-length"])
        raw = self.rfile.read(size)
        if len(raw) < size:  # the client died while it was asking
            self.close_connection = True
            return
        body = json.loads(raw)
        with self.server.turn:
            while self.server.done >= self.server.hold and not self.server.go.exists() and not self.gone():
                time.sleep(0.02)
            if self.gone():
                self.close_connection = True
                return
            self.server.done += 1
            answer = json.dumps(self.answer(body)).encode()
            with self.server.log.open("a") as log:
                log.write(json.dumps([body["messages"][-1]["content"], body["seed"]]) + "\n")
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def gone(self):
        """Whether the client has closed the connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def answer(self, body):
        model, tokenizer = self.server.model, self.server.tokenizer
        text = tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        torch.manual_seed(body["seed"])
        output = model.generate(
            **prompt,
            do_sample=True,
            temperature=body["temperature"],
            top_p=body["top_p"],
            top_k=0,
            max_new_tokens=body["max_tokens"],
            pad_token_id=tokenizer.eos_token_id,
        )
        new = output[0, prompt["input_ids"].shape[1] :]
        words = tokenizer.decode(new, skip_special_tokens=True)
        reason = "stop" if int(new[-1]) == tokenizer.eos_token_id else "length"
        return {
            "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": words}}],
            "usage": {"prompt_tokens": prompt["input_ids"].shape[1], "completion_tokens": len(new)},
        }

    def log_message(self, *_):
        pass


def main(model, log, hold, go):
    torch.set_num_threads(1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.model = transformers.AutoModelForCausalLM.from_pretrained(model)
    server.tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    server.turn, server.done = threading.Lock(), 0
    server.log, server.hold, server.go = Path(log), int(hold), Path(go)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
