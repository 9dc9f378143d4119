// usage: node node.js PORT TLS_PORT CERTIFICATE KEY IDLE_MS
//
// Node's own servers as their users start them: HTTP/1.1 on one port, TLS with HTTP/2 on another. Writes a line a request.
const [port, tlsPort, certificate, key, idle] = process.argv.slice(2);
const fs = require('fs');
const http = require('http');
const http2 = require('http2');

const SESSION_STREAMS = 100;
const { NGHTTP2_REFUSED_STREAM } = http2.constants;

function serve(request, response) {
    const protocol = `HTTP/${request.httpVersion}`;
    const client = String(request.socket.remotePort);
    process.stdout.write(JSON.stringify({ method: request.method, uri: request.url, protocol, client }) + '\n');
    request.resume();
    const slow = /^\/slow\/(\d+)/.exec(request.url);
    const answer = () => response.end('ok');
    request.on('end', () => (slow ? setTimeout(answer, Number(slow[1])) : answer()));
}

const plain = http.createServer(serve);
plain.keepAliveTimeout = Number(idle);
plain.listen(Number(port), '127.0.0.1', 4096);

const secure = http2.createSecureServer({
    cert: fs.readFileSync(certificate),
    key: fs.readFileSync(key),
    allowHTTP1: true,
    settings: { maxConcurrentStreams: 50 },
});
secure.keepAliveTimeout = Number(idle);
// It refuses every fortieth stream, and lets a session go after a hundred.
secure.on('session', (session) => {
    let streams = 0;
    session.on('stream', () => {
        if (++streams === SESSION_STREAMS) session.close();
    });
});
let all = 0;
secure.on('request', (request, response) => {
    if (request.httpVersionMajor === 2 && ++all % 40 === 0) return request.stream.close(NGHTTP2_REFUSED_STREAM);
    serve(request, response);
});
secure.listen(Number(tlsPort), '127.0.0.1', 4096);
