@echo off
rem Double-click to run the lab: trains the four models (kept if they are there already) and opens the page.
cd /d "%~dp0"
if not exist .venv\Scripts\latentlab.exe (echo Double-click build.bat first. & pause & exit /b 2)
.venv\Scripts\latentlab lab || (echo The lab did not finish; see above. & pause & exit /b 1)
start "" runs\lab\lab.html
