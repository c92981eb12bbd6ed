import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "@/api/client";
import { makeRouter } from "@/app/router";
import { feed } from "@/live/cache";
import { begin } from "@/live/live";
import "@/styles/tokens.css";
import "@/styles/base.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (count, error) =>
        count < 3 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      refetchOnWindowFocus: false,
    },
  },
});
feed(queries);
begin();

// The service was replaced by another version, which has other parts: begin anew with its document, once.
addEventListener("vite:preloadError", (event) => {
  if (sessionStorage.getItem("weft.renewed") === location.href) return;
  sessionStorage.setItem("weft.renewed", location.href);
  event.preventDefault();
  location.reload();
});

createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={makeRouter(queries)} />
    </QueryClientProvider>
  </StrictMode>,
);
