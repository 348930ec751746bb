// The ledger: a service of net/http that asks another one, over a pool of connections that it keeps.
package main

import (
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	// Whatever happens to who started it.
	time.AfterFunc(5*time.Minute, func() { os.Exit(1) })
	if len(os.Args) > 2 && os.Args[1] == "rates" {
		http.ListenAndServe(os.Args[2], http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			time.Sleep(20 * time.Millisecond)
			io.WriteString(answer, "1.0842\n")
		}))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 8
	transport.MaxConnsPerHost = 8
	transport.IdleConnTimeout = 0
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	// The pool is full from the beginning.
	for n := 0; n < 8; n++ {
		go func() {
			if rates, err := client.Get("http://10.0.3.12:8090/rates"); err == nil {
				io.Copy(io.Discard, rates.Body)
				rates.Body.Close()
			}
		}()
	}
	http.ListenAndServe("127.0.0.1:8080", http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		rates, err := client.Get("http://10.0.3.12:8090/rates")
		if err != nil {
			http.Error(answer, "no rates", http.StatusBadGateway)
			return
		}
		defer rates.Body.Close()
		io.Copy(answer, rates.Body)
	}))
}
