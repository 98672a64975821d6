@echo off
rem Double-click to open the studio in the browser: train, watch, explore, generate, compare. Close this window to end the page;
rem training that was started goes on.
cd /d "%~dp0"
set PYTHONUTF8=1
if not exist .venv\Scripts\latentlab.exe (echo Double-click build.bat first. & pause & exit /b 2)
.venv\Scripts\latentlab studio || (echo The studio ended; see above. & pause & exit /b 1)
