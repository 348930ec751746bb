// Clients and servers of net/http as people write them, one habit each: what the live tests watch.
//
// It prints `ready` when it is at work. For each line on its standard input it prints how many connections it has
// opened so far; at the end of its input it exits.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var opened int64

// counted dials as the default transport does, and counts.
func counted(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 100 * time.Second, KeepAlive: 30 * time.Second}
	connection, err := dialer.DialContext(ctx, network, address)
	if err == nil {
		atomic.AddInt64(&opened, 1)
	}
	return connection, err
}

func transport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = counted
	return transport
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// every calls back at an even pace, without drift; a call does not wait for the one before.
func every(perSecond int, call func()) {
	begin := time.Now()
	for n := 0; ; n++ {
		time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(perSecond))))
		go call()
	}
}

// serve ADDRESS DELAY_MS BYTES: answers so many bytes after so long, and keeps connections.
func serve(address string, delay, bytes int) {
	body := strings.Repeat("x", bytes)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Duration(delay) * time.Millisecond)
		io.WriteString(answer, body)
	}))
}

// burst URL AT_ONCE PER_SECOND: so many requests at once, so many times a second, with one client.
func burst(url string, atOnce, perSecond int, client *http.Client) {
	every(perSecond, func() {
		for n := 0; n < atOnce; n++ {
			go func() {
				if answer, err := client.Get(url); err == nil {
					io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
			}()
		}
	})
}

func work(words []string) {
	client := &http.Client{Transport: transport()}
	switch words[0] {
	case "serve":
		serve(words[1], number(words[2]), number(words[3]))
	case "burst":
		burst(words[1], number(words[2]), number(words[3]), client)
	case "unread":
		// The body is closed before it was read.
		every(number(words[2]), func() {
			if answer, err := client.Get(words[1]); err == nil {
				answer.Body.Close()
			}
		})
	case "unclosed":
		// The body is neither read nor closed.
		every(number(words[2]), func() { client.Get(words[1]) })
	case "transports":
		// A client of its own for each call.
		every(number(words[2]), func() {
			client := &http.Client{Transport: transport()}
			if answer, err := client.Get(words[1]); err == nil {
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	case "kept":
		// A client that is right: as many idle connections as there are requests at once.
		kept := transport()
		kept.MaxIdleConnsPerHost = 64
		burst(words[1], number(words[2]), number(words[3]), &http.Client{Transport: kept})
	case "each":
		// A client of its own for each call, which closes its connection when it is done.
		every(number(words[2]), func() {
			single := transport()
			client := &http.Client{Transport: single}
			if answer, err := client.Get(words[1]); err == nil {
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
			single.CloseIdleConnections()
		})
	case "refuse":
		// Keep-alive turned off: the server is asked to close, and does so first, nearly always.
		single := transport()
		single.DisableKeepAlives = true
		burst(words[1], 1, number(words[2]), &http.Client{Transport: single})
	default:
		panic(words)
	}
}

func main() {
	if os.Args[1] != "serve" {
		fmt.Println("ready")
	}
	go work(os.Args[1:])
	// Whatever happens to who started it.
	time.AfterFunc(15*time.Minute, func() { os.Exit(1) })
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(atomic.LoadInt64(&opened))
	}
}
