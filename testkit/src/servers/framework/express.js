// usage: node express.js PORT
const express = require('express');
const app = express();
app.use(express.json({ limit: '1mb' }));
app.post('/echo', (request, response) => {
    const names = request.rawHeaders.filter((_, at) => at % 2 === 0);
    response.json({ method: request.method, body: request.body, names });
});
app.get('/events', (request, response) => {
    response.set('Content-Type', 'text/event-stream');
    let number = 0;
    const timer = setInterval(() => response.write(`data: ${number++}\n\n`), 20);
    request.on('close', () => clearInterval(timer));
});
app.get('/broken', () => {
    throw new Error('broken');
});
app.get('/moved', (_, response) => response.redirect('/there'));
app.get('/there', (_, response) => response.send('there'));
app.listen(Number(process.argv[2]), '127.0.0.1');
