// usage: application PORT
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sort"
	"time"
)

func echo(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 1<<20))
	if err != nil {
		http.Error(response, "request body too large", http.StatusRequestEntityTooLarge)
		return
	}
	var names []string
	for name := range request.Header {
		names = append(names, name)
	}
	sort.Strings(names)
	response.Header().Set("Content-Type", "application/json")
	json.NewEncoder(response).Encode(map[string]any{
		"method": request.Method, "body": json.RawMessage(body), "names": names,
	})
}

func events(response http.ResponseWriter, request *http.Request) {
	response.Header().Set("Content-Type", "text/event-stream")
	for number := 0; request.Context().Err() == nil; number++ {
		fmt.Fprintf(response, "data: %d\n\n", number)
		response.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

func main() {
	http.HandleFunc("/echo", echo)
	http.HandleFunc("/events", events)
	http.HandleFunc("/broken", func(response http.ResponseWriter, _ *http.Request) {
		http.Error(response, "broken", http.StatusInternalServerError)
	})
	http.Handle("/moved", http.RedirectHandler("/there", http.StatusFound))
	http.HandleFunc("/there", func(response http.ResponseWriter, _ *http.Request) { io.WriteString(response, "there") })
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
