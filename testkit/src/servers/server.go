// usage: server PORT TLS_PORT CERTIFICATE KEY IDLE_MS
//
// Go's own servers as their users start them: HTTP/1.1 on one port, TLS with HTTP/2 on another. Writes a line a request. Asks
// for the connection to be closed with every hundredth.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

var writing sync.Mutex
var received int

func serve(response http.ResponseWriter, request *http.Request) {
	_, client, _ := net.SplitHostPort(request.RemoteAddr)
	line, _ := json.Marshal(map[string]string{
		"method": request.Method, "uri": request.URL.RequestURI(), "protocol": request.Proto, "client": client,
	})
	writing.Lock()
	received++
	last := received%100 == 0
	fmt.Printf("%s\n", line)
	writing.Unlock()
	io.Copy(io.Discard, request.Body)
	if rest := strings.TrimPrefix(request.URL.Path, "/slow/"); rest != request.URL.Path {
		milliseconds, _ := strconv.Atoi(strings.Split(rest, "/")[0])
		time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	}
	if last && request.ProtoMajor == 2 {
		response.Header().Set("Connection", "close")
	}
	io.WriteString(response, "ok")
}

func main() {
	idle, _ := strconv.Atoi(os.Args[5])
	handler := http.HandlerFunc(serve)
	timeout := time.Duration(idle) * time.Millisecond
	plain := &http.Server{Addr: "127.0.0.1:" + os.Args[1], Handler: handler, IdleTimeout: timeout}
	secure := &http.Server{Addr: "127.0.0.1:" + os.Args[2], Handler: handler, IdleTimeout: timeout}
	go func() { log.Fatal(plain.ListenAndServe()) }()
	log.Fatal(secure.ListenAndServeTLS(os.Args[3], os.Args[4]))
}
